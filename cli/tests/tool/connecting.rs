//! Whom the tool connects to, whom it trusts, and what it shows.

use std::io::Write;

use pnet::{Arrival, Identity, Packet, Refused, Secret, action, actions, protocol};
use serde::{Deserialize, Serialize};

use crate::support::{BenchServer, Folder, Seen, finish, run, run_with, serve, tool};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_a_status_of_its_own() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let ran = run(&["call", &address, "ADD"]).await;
    assert_eq!(ran.exit, 3);
    assert!(ran.err.starts_with(&format!("pnet: cannot connect to {address}: ")), "{}", ran.err);
    let ran = run(&["call", "127.0.0.1:http", "ADD"]).await;
    assert_eq!((ran.exit, &*ran.err), (2, "pnet: `127.0.0.1:http` is no address: write HOST:PORT\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_kind_of_server_is_told_by_its_first_words() {
    for (words, told) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "SSH-2.0-"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        (b"\x1b[2J\x1b]0;owned\x07", r"\x1b"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            stream.write_all(words)?;
            // It stays until the other side has gone.
            std::io::copy(&mut stream, &mut std::io::sink())
        });
        let ran = run(&["call", &address, "ADD"]).await;
        assert_eq!(ran.exit, 3, "{ran:?}");
        assert!(ran.err.contains(told) && ran.err.contains("is the port right?"), "{}", ran.err);
        server.join().expect("no panic").ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_none_is_the_servers_fault_or_the_users() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(
            b"{\"action\":\"handShake\",\"data\":{\"status\":\"success\",\"pnet\":1}}\n\
            {\"action\":\"pnet.schema\",\"data\":{\"pnet-schema\":2},\"re\":\"pnet.schema\"}\n",
        )?;
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    let ran = run(&["call", &address, "ADD"]).await;
    assert_eq!(ran.exit, 3, "{ran:?}");
    assert!(ran.err.contains("what the server says of its protocol"), "{}", ran.err);
    server.join().expect("no panic").ok();

    let (_server, address, _) = serve().await;
    let folder = Folder::new();
    let file = folder.write("schema.json", "{\"pnet-schema\": 2}");
    assert_eq!(run(&["call", &address, "ADD", "--schema", &file]).await.exit, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_key_is_trusted_by_it() {
    let folder = Folder::new();
    let key = folder.file("server.key");
    let made = run(&["key", &key]).await;
    let fingerprint = made.out.trim().to_owned();
    assert!(made.exit == 0 && fingerprint.starts_with("SHA256:"), "{made:?}");
    assert_eq!(run(&["key", &key]).await.out.trim(), fingerprint);

    let identity = Identity::load_or_create(&key).await.expect("the tool has made it");
    let server =
        pnet::serve(BenchServer, Seen::default()).identity(identity).bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().to_string();
    let call = ["call", &address, "ADD", r#"{"a": 1, "b": 2}"#];
    let with = |more: &[&'static str]| [&call[..], more].concat();
    let ran = run(&[&call[..], &["--pin", &fingerprint]].concat()).await;
    assert_eq!((ran.exit, &*ran.out), (0, "SUM {\"sum\":3}\n"), "{}", ran.err);

    let ran = run(&with(&["--pin", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"])).await;
    assert_eq!(ran.exit, 3, "{ran:?}");
    assert!(ran.err.contains(&fingerprint), "{}", ran.err);
    let ran = run(&with(&["--pin", "SHA256:short"])).await;
    assert_eq!(ran.exit, 2, "{ran:?}");
    // Plain text to a server that takes TLS.
    let ran = run(&call).await;
    assert_eq!(ran.exit, 3, "{ran:?}");
    assert!(ran.err.contains("TLS only: tell the client whom to trust, with --pin, --known-hosts"), "{}", ran.err);

    // Options that exclude each other.
    let ran = run(&with(&["--server-name", "bench"])).await;
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert!(ran.err.contains("--server-name needs --roots or --system-roots"), "{}", ran.err);

    let hosts = folder.file("known_hosts");
    for _ in 0..2 {
        let ran = run(&[&call[..], &["--known-hosts", &hosts]].concat()).await;
        assert_eq!(ran.exit, 0, "{ran:?}");
    }
    assert_eq!(std::fs::read_to_string(&hosts).expect("it is written"), format!("{address} {fingerprint}\n"));

    // It has another key than the one that is written down.
    let known = format!("{address} SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n");
    let hosts = folder.write("known_hosts", &known);
    let ran = run(&[&call[..], &["--json", "--known-hosts", &hosts]].concat()).await;
    assert_eq!((ran.exit, &ran.json()[0]["exit"]), (3, &serde_json::json!(3)), "{ran:?}");
    assert!(ran.out.contains(&fingerprint), "{}", ran.out);
    assert_eq!(std::fs::read_to_string(&hosts).expect("it is there"), known);

    let missing = folder.file("missing.key");
    let ran = run(&[&call[..], &["--pin", &fingerprint, "--identity", &missing]].concat()).await;
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert!(ran.err.contains("there is no key") && !std::path::Path::new(&missing).exists(), "{}", ran.err);
}

#[derive(Serialize, Deserialize)]
struct Login {
    password: Secret,
}

#[derive(Packet, Serialize, Deserialize)]
struct Who {}

#[derive(Packet, Serialize, Deserialize)]
struct You {
    name: String,
}

protocol! {
    Club {
        credentials Login;
        client { Who -> You }
    }
}

struct Member;

#[action(authenticate)]
fn authenticate(login: Login, _: &Arrival) -> Result<Member, Refused> {
    if login.password.expose() == PASSWORD { Ok(Member) } else { Err(Refused::new("nobody knows this password")) }
}

#[action("WHO")]
fn who(_: Who, _: &Member) -> You {
    You { name: "a member".to_owned() }
}

actions! { server ClubServer for Club: authenticate, who }

const PASSWORD: &str = "canary-5f1c9";

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_shown_to_the_server_and_to_nobody_else() {
    let server = pnet::serve(ClubServer, ()).bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().to_string();
    let folder = Folder::new();
    let right = folder.write("right.json", &format!("{{\"password\": \"{PASSWORD}\"}}"));
    let ran = run(&["call", &address, "WHO", "--credentials-file", &right]).await;
    assert_eq!((ran.exit, &*ran.out), (0, "YOU {\"name\":\"a member\"}\n"), "{}", ran.err);

    let mut command = tool(&["call", &address, "WHO"]);
    command.env("PNET_CREDENTIALS", format!("{{\"password\": \"{PASSWORD}\"}}"));
    assert_eq!(finish(command).await.exit, 0);

    let wrong = folder.write("wrong.json", "{\"password\": \"canary-wrong\"}");
    let broken = folder.write("broken.json", &format!("{{\"password\": {PASSWORD}"));
    for (file, exit) in [(&wrong, 1), (&broken, 2), (&folder.file("missing"), 2)] {
        let ran = run(&["call", &address, "WHO", "--credentials-file", file]).await;
        assert_eq!(ran.exit, exit, "{ran:?}");
        assert!(!ran.err.contains("canary"), "{}", ran.err);
    }

    // Whatever is done with them.
    let load = ["load", &address, "WHO", "{}", "--connections", "2", "--rate", "20", "--for", "500ms"];
    let odd = ["call", &address, "WHO", "{\"odd\": 1}"];
    for command in [&["actions", &address][..], &["schema", &address], &odd, &load] {
        for file in [&right, &wrong, &broken] {
            for more in [&["--credentials-file", file][..], &["--credentials-file", file, "--json"]] {
                let ran = run(&[command, more].concat()).await;
                assert!(!format!("{ran:?}").contains("canary"), "{command:?}: {ran:?}");
            }
        }
    }
    for file in [&right, &wrong] {
        let ran =
            run_with(&["repl", &address, "--credentials-file", file], b"actions\nWHO {}\nWHO {\"odd\": 1}\n").await;
        assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
    }
}
