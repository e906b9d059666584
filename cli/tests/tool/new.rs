//! `pnet new`, but for whether what it writes compiles, which `.ci/new` tests.

use std::fs;

use serde_json::json;

use crate::support::{Folder, Ran, finish, tool};

async fn new(folder: &Folder, arguments: &[&str]) -> Ran {
    let mut command = tool(&[&["new"], arguments].concat());
    command.current_dir(folder.path());
    finish(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_written() {
    let folder = Folder::new();
    let ran = new(&folder, &["my-game", "--json"]).await;
    let [event] = ran.json().try_into().expect("one event is one line");
    assert_eq!((ran.exit, &event["event"], &event["inside_workspace"]), (0, &json!("created"), &json!(null)));
    let read = |path: &str| fs::read_to_string(folder.path().join("my-game").join(path)).expect(path);
    assert!(read("Cargo.toml").contains("pnet = { package = \"pnetwork\", version = \""));
    assert!(read("client/src/main.rs").contains("use my_game_protocol::"));
    for path in [".gitignore", "README.md", "client/tests/memory.rs", "server/src/lib.rs", "protocol/src/lib.rs"] {
        assert!(!read(path).contains("{{"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_may_be_named() {
    let folder = Folder::new();
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    assert_eq!(new(&folder, &["demo", "--path-to-pnet", checkout]).await.exit, 0);
    let manifest = fs::read_to_string(folder.path().join("demo/Cargo.toml")).expect("it is written");
    let path = fs::canonicalize(format!("{checkout}/pnet")).expect("it is there");
    assert!(manifest.contains(&format!("path = \"{}\"", path.display())), "{manifest}");

    let ran = new(&folder, &["other", "--path-to-pnet", "demo"]).await;
    assert_eq!((ran.exit, folder.path().join("other").exists()), (2, false), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_it_cannot_be_meant() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("taken")).expect("a folder");
    for (name, why) in [
        ("fn", "a word of the language"),
        ("../up", "`.` cannot be"),
        ("taken", "exists already"),
        ("", "needs a name"),
    ] {
        let ran = new(&folder, &[name]).await;
        assert_eq!(ran.exit, 2, "{name}");
        assert!(ran.err.contains(why), "{name}: {}", ran.err);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_around_it_is_told() {
    let folder = Folder::new();
    folder.write("Cargo.toml", "[workspace]\nmembers = []\n");
    let ran = new(&folder, &["demo"]).await;
    assert_eq!(ran.exit, 0);
    assert!(ran.err.contains("is a workspace. demo has a [workspace] of its own"), "{}", ran.err);
}
