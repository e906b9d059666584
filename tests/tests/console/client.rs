//! The console of a client.

use pnet::console::{Console, Terminal};
use tokio::time::timeout;

use super::hall::{DEADLINE, Hall};

async fn run(console: &Console, lines: &str) -> (String, u8) {
    let mut said = Vec::new();
    let running = console.clone().run_on(lines.as_bytes(), &mut said, Terminal::plain());
    let ended = timeout(DEADLINE, running).await.expect("in time").expect("memory");
    (String::from_utf8(said).expect("text"), ended.status())
}

#[tokio::test]
async fn a_client_has_one_connection_whose_id_may_be_left_out() {
    let hall = Hall::open().await;
    let id = hall.ids()[0].clone();
    let console = Console::new(&hall.native).name("Guest");
    for line in [
        "info".to_owned(),
        format!("info {}", &id[..6]),
        "ping".to_owned(),
        "pingall".to_owned(),
        "list".to_owned(),
        "send NOTE {\"text\": \"x\"}".to_owned(),
        format!("send {} NOTE {{\"text\": \"x\"}}", &id[..8]),
        "call SAY {\"text\": \"x\"}".to_owned(),
        "call latest SAY {\"text\": \"x\"}".to_owned(),
        "trigger READY {\"text\": \"x\"}".to_owned(),
        "schema".to_owned(),
        "actions".to_owned(),
        "stats".to_owned(),
        "limits".to_owned(),
        "tasks".to_owned(),
    ] {
        let (said, status) = run(&console, &line).await;
        assert_eq!(status, 0, "{line}: {said}");
        assert!(!said.is_empty(), "{line}");
    }
    let (said, _) = run(&console, "call SAY {\"text\": \"again\"}").await;
    assert_eq!(said, "Said {\"id\":3,\"text\":\"again\"}\n");
}

#[tokio::test]
async fn what_only_a_server_can_do_is_said() {
    let hall = Hall::open().await;
    let console = Console::new(&hall.native);
    for line in ["broadcast NOTE {\"text\": \"x\"}", "suspend", "resume", "dropall --yes"] {
        let (said, status) = run(&console, line).await;
        assert_eq!(status, 1, "{line}: {said}");
        assert!(said.contains("this is a client"), "{line}: {said}");
    }
    let (said, status) = run(&console, "log debug").await;
    assert!(status == 1 && said.contains("log_control"), "{said}");
}

#[tokio::test]
async fn a_client_can_be_ended() {
    for line in ["stop --yes", "drain 1 --yes", "disconnect go away"] {
        let hall = Hall::open().await;
        let (said, status) = run(&Console::new(&hall.native), line).await;
        assert_eq!(status, 0, "{line}: {said}");
        timeout(DEADLINE, hall.native.closed()).await.unwrap_or_else(|_| panic!("{line} has not ended the client"));
        let (said, status) = run(&Console::new(&hall.native), "ping").await;
        assert!(status == 1 && said.contains("not connected"), "{said}");
    }
}
