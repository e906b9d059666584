//! What operators may type by mistake, and scripts feed in.

use std::time::Duration;

use pnet::console::{Command, Console, Ended, Terminal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::timeout,
};

use super::hall::{DEADLINE, Hall};

#[tokio::test]
async fn a_script_goes_on_after_a_mistake_and_tells_the_first() {
    let hall = Hall::open().await;
    let (said, ended) = hall.run("greet\nlst\nlist --limit 1\n").await;
    assert_eq!(ended, Ended::InputEnded { status: 1 });
    assert!(said.contains("nearest: list") && said.contains("1 of 4 connections"), "{said}");
}

#[tokio::test]
async fn half_a_line_at_the_end_is_run() {
    let hall = Hall::open().await;
    let (said, ended) = hall.run("greet ada").await;
    assert_eq!((&*said, ended.status()), ("hello, ada\n", 0));
    assert_eq!(hall.run("").await, (String::new(), Ended::InputEnded { status: 0 }));
    assert_eq!(hall.run("\n  \n\t\n").await.0, "");
}

#[tokio::test]
async fn lines_that_are_none_are_errors_and_the_next_one_is_run() {
    let hall = Hall::open().await;
    for bad in [&[b'x'; 1024 * 1024][..], b"list \xff\xfe", b"send \"", b"greet \x00\xc3"] {
        let input = [bad, b"\ngreet ada\n"].concat();
        let (said, ended) = hall.run_with(&input, Terminal::plain()).await;
        assert_eq!(ended.status(), 2, "{said}");
        assert!(said.ends_with("hello, ada\n") && said.len() < 400, "{said}");
    }
    let (said, _) = hall.run(&format!("send {}\n", "x".repeat(60_000))).await;
    assert!(said.contains("ACTION is missing"), "{said}");
}

#[tokio::test]
async fn ids_that_are_none_are_answered_with_those_there_are() {
    let hall = Hall::open().await;
    let [native, ..] = hall.ids();
    let (said, ended) = hall.run("info zz\n").await;
    assert_eq!(ended.status(), 1);
    for id in hall.ids() {
        assert!(said.contains(&id[..8]), "{said}");
    }
    // All of them begin so.
    let (said, _) = hall.run("info \"\"\n").await;
    assert!(said.contains("no connection \"\""), "{said}");
    let (said, _) = hall.run(&format!("info {}\n", native.to_uppercase())).await;
    assert!(said.contains(&native), "{said}");
}

#[tokio::test]
async fn ids_that_are_several_are_listed() {
    let hall = Hall::open().await;
    let mut clients = Vec::new();
    // With 17 connections, two ids begin with the same digit.
    for _ in 0..13 {
        let client = pnet::connect(super::hall::TalksClient, ()).to(hall.server.local_addr()).await.expect("let in");
        clients.push(client);
    }
    let mut ids: Vec<String> = hall.ids().into_iter().chain(clients.iter().map(|c| c.id().to_string())).collect();
    ids.sort_unstable();
    let pair = ids.windows(2).find(|pair| pair[0][..1] == pair[1][..1]).expect("two of 17");
    let (said, ended) = hall.run(&format!("suspend {}\n", &pair[0][..1])).await;
    assert_eq!(ended.status(), 1);
    assert!(said.contains("is ambiguous"), "{said}");
    assert!(said.contains(&pair[0][..8]) && said.contains(&pair[1][..8]), "{said}");
}

#[tokio::test]
async fn what_asks_does_nothing_where_nobody_can_be_asked() {
    let hall = Hall::open().await;
    for line in ["dropall", "stop", "drain"] {
        let (said, ended) = hall.run(&format!("{line}\nlist\n")).await;
        assert_eq!(ended, Ended::InputEnded { status: 2 }, "{said}");
        assert!(said.contains("--yes") && said.contains("4 of 4 connections"), "{said}");
    }
}

#[tokio::test]
async fn the_input_may_end_while_something_is_asked() {
    let hall = Hall::open().await;
    let (said, ended) = hall.run_with(b"dropall", Terminal::interactive()).await;
    assert_eq!(ended, Ended::InputEnded { status: 0 });
    assert!(said.contains("y/N nothing was done"), "{said}");
    assert_eq!(hall.server.hub().len(), 4);
}

#[tokio::test]
async fn commands_of_one_name_are_refused() {
    let hall = Hall::open().await;
    let own = |name: &str| Command::new(name).run(|_| async { Ok::<_, String>("") });
    for (console, word) in [
        (Console::new(&hall.server).command(own("list")), "`list` is a command of the console already"),
        (Console::new(&hall.server).command(own("quit")), "`quit` is a command of the console already"),
        (Console::new(&hall.server).command(own("x")).command(own("x")), "two commands `x`"),
        (Console::new(&hall.server).command(own("a b")), "is no name for a command"),
        (Console::new(&hall.server).command(own("--yes")), "is no name for a command"),
    ] {
        let error = console.clone().run_on(&b""[..], &mut Vec::new(), Terminal::plain()).await.expect_err("refused");
        assert!(error.to_string().contains(word), "{error}");
        let error = console.listen(hall.folder.file("other")).await.expect_err("refused");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(source.is_some_and(|source| source.contains(word)), "{error}");
    }
}

#[tokio::test]
async fn a_command_that_waits_ends_with_its_console() {
    let hall = Hall::open().await;
    let (mut here, there) = duplex(1024);
    let (reader, writer) = tokio::io::split(there);
    let running = tokio::spawn(hall.console.clone().run_on(reader, writer, Terminal::plain()));
    here.write_all(b"trigger WAIT as latest\n").await.expect("memory");
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.abort();
    let mut rest = Vec::new();
    timeout(DEADLINE, here.read_to_end(&mut rest)).await.expect("in time").expect("memory");
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn streams_are_cut_after_a_hundred_items() {
    let hall = Hall::open().await;
    let id = &hall.ids()[1];
    let script = format!("call {id} ECHO {{\"to\": 200}}\ntrigger COUNT {{\"to\": 200}}\n");
    let (said, ended) = hall.run(&script).await;
    assert_eq!(ended.status(), 0, "{said}");
    assert_eq!(said.matches("Number {\"n\":100}\n").count(), 2, "{said}");
    assert_eq!(said.matches("cut after 100 items").count(), 2, "{said}");
    assert!(!said.contains("Number {\"n\":102}"), "{said}");
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_console() {
    let hall = Hall::open().await;
    let (mut here, there) = duplex(64);
    let (reader, writer) = tokio::io::split(there);
    let running = tokio::spawn(hall.console.clone().run_on(reader, writer, Terminal::plain()));
    here.write_all(b"help\n").await.expect("memory");
    drop(here);
    let ended = timeout(DEADLINE, running).await.expect("in time").expect("no panic").expect("no error");
    assert_eq!(ended, Ended::InputEnded { status: 0 });
}

#[tokio::test]
async fn what_takes_long_says_how_long() {
    let hall = Hall::open().await;
    let (said, _) = hall.run("slow 600\nslow 1\n").await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(matches!(lines[..], ["slept", took, "slept"] if took.starts_with("took 0.6")), "{said}");
}

#[tokio::test]
async fn drain_lets_everybody_go_and_ends_the_console() {
    let hall = Hall::open().await;
    let (mut here, there) = duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(there);
    let running = tokio::spawn(hall.console.clone().run_on(reader, writer, Terminal::plain()));
    here.write_all(b"drain 5 --yes\n").await.expect("memory");
    let ended = timeout(DEADLINE, running).await.expect("in time").expect("no panic").expect("no error");
    assert_eq!(ended, Ended::Stopped { status: 0 });
    let mut said = String::new();
    here.read_to_string(&mut said).await.expect("text");
    assert!(said.contains("draining the server \"Hall\" with 4 connections"), "{said}");
    assert!(said.contains("drained: 4 connections finished"), "{said}");
    timeout(DEADLINE, hall.server.closed()).await.expect("the server has ended");
}
