//! Who may come. Another user can only be tried by root.

use std::{
    env,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use pnet::transport::unix::{self, UnixAcceptor};
use pnet_tests::log::Log;
use tokio::{
    io::AsyncReadExt,
    time::{sleep, timeout},
};

use super::support::{Ask, DEADLINE, Folder, QuizServer, Ui, set_mode};

/// Where the program that runs as another user connects to.
const PATH: &str = "PNET_UNIX_PEER";

/// The test that the other user's program runs; without the variable there is nothing to do.
#[tokio::test]
async fn the_other_user() {
    let Some(path) = env::var_os(PATH).map(PathBuf::from) else { return };
    let (mut io, _) = unix::connect(&path).await.expect("the system lets everybody in");
    let mut end = Vec::new();
    // The server hangs up without a word.
    let read = timeout(DEADLINE, io.read_to_end(&mut end)).await.expect("it does not keep the connection");
    assert!(read.is_err() || end.is_empty(), "{end:?}");
}

#[tokio::test]
async fn another_user_is_dropped_and_logged() {
    let (log, _kept) = Log::keep();
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let server = pnet::serve(QuizServer, ()).listen(UnixAcceptor::bind(&path).await.expect("it is free"));
    let is_root = std::fs::metadata(folder.path()).expect("it is there").uid() == 0;
    let can_switch = Command::new("setpriv").arg("--version").stdout(Stdio::null()).status().is_ok();
    if is_root && can_switch {
        // What the acceptor refuses to begin with may come about later.
        folder.set_mode(0o755);
        set_mode(&path, 0o777);
        let program = folder.at("peer");
        std::fs::copy(env::current_exe().expect("it runs"), &program).expect("there is room");
        set_mode(&program, 0o755);
        let status = tokio::task::spawn_blocking({
            let path = path.clone();
            move || {
                Command::new("setpriv")
                    .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
                    .arg(program)
                    .args(["--exact", "peers::the_other_user", "--nocapture"])
                    .env(PATH, path)
                    .output()
            }
        });
        let output = timeout(DEADLINE, status).await.expect("in time").expect("no panic").expect("it is run");
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
        sleep(Duration::from_millis(20)).await;
        let text = log.text();
        assert!(
            text.contains("another user's connection was dropped") && text.contains("peer=unix uid 12345"),
            "{text}"
        );
        assert!(server.hub().is_empty());
    }
    // And others are served on.
    let (io, peer) = unix::connect(&path).await.expect("a server answers");
    let quiz = pnet::connect(Ui, ()).over(io, peer).await.expect("it is let in");
    assert_eq!(quiz.call(Ask { n: 1 }).await.expect("it is answered").n, 2);
}
