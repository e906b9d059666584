//! `pnet attach` to a console in this process.

use std::{fs, os::unix::fs::PermissionsExt};

use pnet::{
    Server,
    console::{Attachment, Command, Console},
};
use serde_json::Value;

use crate::support::{Bench, Folder, Ran, finish, run, run_with, serve, tool};

/// A server with a console, at a socket in a folder.
async fn attached() -> (Server<Bench>, Attachment, String, Folder) {
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let (server, _, _) = serve().await;
    let own = Command::new("greet").help("greets").arguments("NAME").run(|words: Vec<String>| async move {
        match words.as_slice() {
            [name] => Ok(format!("hello, {name}")),
            _ => Err("whom?".to_owned()),
        }
    });
    let console = Console::new(&server).name("Bench").command(own);
    let socket = folder.file("console");
    let attachment = console.listen(&socket).await.expect("a socket in a folder of one's own");
    (server, attachment, socket, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commands_status_is_the_tools() {
    let (_server, _attachment, socket, _folder) = attached().await;
    let ran = run(&["attach", &socket, "greet", "ada lovelace"]).await;
    assert_eq!((ran.exit, &*ran.out, &*ran.err), (0, "hello, ada lovelace\n", ""));
    let ran = run(&["attach", &socket, "greet ada"]).await;
    assert_eq!((ran.exit, &*ran.out), (0, "hello, ada\n"));
    assert_eq!(run(&["attach", &socket, "greet"]).await.exit, 1);
    let ran = run(&["attach", &socket, "lsit"]).await;
    assert_eq!(ran.exit, 2);
    assert!((ran.out + &ran.err).contains("list"), "the nearest is named");

    let ran = run(&["attach", &socket, "trigger", "ADD", r#"{"a": 1, "b": 2}"#]).await;
    assert!(ran.exit == 0 && ran.out.contains("{\"sum\":3}"), "{ran:?}");
    let ran = run(&["attach", "--json", &socket, "stats"]).await;
    assert_eq!(ran.exit, 0);
    for line in ran.out.lines() {
        serde_json::from_str::<Value>(line).expect(line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_piped_in() {
    let (_server, _attachment, socket, _folder) = attached().await;
    let ran = run_with(&["attach", &socket], b"greet ada\n# nothing\n\ngreet\ngreet bob").await;
    assert_eq!(ran.exit, 1, "that of the first that failed: {ran:?}");
    assert!(ran.out.starts_with("hello, ada\n") && ran.out.ends_with("hello, bob\n"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_needs_a_yes_where_nobody_can_be_asked() {
    let (server, _attachment, socket, _folder) = attached().await;
    let ran = run(&["attach", &socket, "stop"]).await;
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert!(ran.err.contains("--yes"), "{}", ran.err);
    let ran = run_with(&["attach", &socket], b"stop\ny\n").await;
    assert_eq!(ran.exit, 2, "a line is no answer: {ran:?}");
    let ran = run(&["attach", &socket, "greet", "ada"]).await;
    assert_eq!(ran.exit, 0, "it still runs");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_a_console_is_told() {
    let folder = Folder::new();
    let missing = folder.file("missing");
    let ran = run(&["attach", &missing, "list"]).await;
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains(&missing), "{}", ran.err);
    let ran = run(&["attach", "127.0.0.1:1", "list"]).await;
    assert_eq!(ran.exit, 2);
    assert!(ran.err.contains("--pin") && ran.err.contains("--identity"), "{}", ran.err);
    // A server that is no console.
    let (_server, address, _) = serve().await;
    let key = folder.file("operator.key");
    assert_eq!(run(&["key", &key]).await.exit, 0);
    let pin = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    let ran = run(&["attach", &address, "--identity", &key, "--pin", pin, "list"]).await;
    assert_eq!(ran.exit, 3, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_script_is_kept() {
    let (_server, _attachment, socket, folder) = attached().await;
    let history = folder.file("history");
    let mut command = tool(&["attach", &socket, "trigger", "ADD", r#"{"a": 1, "b": 2}"#]);
    command.env("PNET_HISTORY", &history);
    let ran: Ran = finish(command).await;
    assert_eq!(ran.exit, 0);
    assert!(!std::path::Path::new(&history).exists());
}
