//! Keys and certificates that are replaced while the server runs: who comes from then on sees the new ones, and what is bad
//! changes nothing.

use std::{fs, path::Path, thread, time::Duration};

use pnet::{Certificates, Client, Fingerprint, Identity, KeyError, memory::MemoryServer};
use pnet_tests::talk::Talk;

use super::support::{
    Authority, Folder, Leaf, client, dial, identity, pin, rsa, server, server_with, set_mode, tls, untrusted, works,
};

/// A server whose key is in a file, and a client that is connected to it.
async fn from_file(path: &Path) -> (MemoryServer<Talk>, Client<Talk>) {
    let server = server_with(Identity::load_or_create(path).await.expect("it is a key"));
    let client = dial(&server, client().pin(pin(0))).await.expect("connects");
    (server, client)
}

/// Fails unless newcomers are shown this key, and no other.
async fn shows(server: &MemoryServer<Talk>, number: usize) {
    let client = dial(server, client().pin(pin(number))).await.expect("connects");
    assert!(works(&client).await);
}

/// Which key newcomers are shown.
async fn shown(server: &MemoryServer<Talk>) -> Fingerprint {
    let client = dial(server, client().pin(pin(0)).pin(pin(1))).await.expect("connects");
    client.key().expect("it has shown one")
}

/// Fails unless newcomers are shown the key of these certificates.
async fn shows_chain(server: &MemoryServer<Talk>, authority: &Authority) {
    let client = dial(server, client().roots(&authority.pem)).await.expect("connects");
    assert!(works(&client).await);
}

#[tokio::test]
async fn a_replaced_key_is_shown_to_newcomers_and_the_others_stay() {
    let folder = Folder::new();
    let path = folder.write("server.key", rsa(0));
    let (server, old) = from_file(&path).await;
    folder.write("server.key", rsa(1));
    shows(&server, 0).await;
    server.handle().reload().await.expect("it is a key");
    shows(&server, 1).await;
    assert_eq!(untrusted(dial(&server, client().pin(pin(0))).await).shown, pin(1));
    assert!(works(&old).await);
    assert_eq!(old.key(), Some(pin(0)));
    // And back.
    folder.write("server.key", rsa(0));
    server.handle().reload().await.expect("it is a key");
    shows(&server, 0).await;
}

#[tokio::test]
async fn a_bad_key_file_is_named_and_the_old_key_stays() {
    let folder = Folder::new();
    let path = folder.write("server.key", rsa(0));
    let (server, old) = from_file(&path).await;
    for text in ["", "no key", &rsa(1)[..600], &rsa(1).replace("PRIVATE", "PUBLIC")] {
        folder.write("server.key", text);
        let error = server.handle().reload().await.expect_err("it is no key");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        shows(&server, 0).await;
    }
    fs::remove_file(&path).expect("it is there");
    let error = server.handle().reload().await.expect_err("it is missing");
    assert!(matches!(error, KeyError::Io { what: "read", .. }), "{error:?}");
    // Who reloads wants the key that is there: none is made.
    assert!(folder.names().is_empty());
    shows(&server, 0).await;
    assert!(works(&old).await);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_key_that_others_can_read_is_not_taken() {
    let folder = Folder::new();
    let path = folder.write("server.key", rsa(0));
    let (server, _old) = from_file(&path).await;
    set_mode(&folder.write("server.key", rsa(1)), 0o644);
    let error = server.handle().reload().await.expect_err("others can read it");
    assert!(matches!(error, KeyError::Permissions { mode: 0o644, .. }), "{error:?}");
    shows(&server, 0).await;
}

/// Writes both files of a server's certificates.
fn install(folder: &Folder, chain: &Leaf, key: &Leaf) {
    folder.write("chain.pem", &chain.chain);
    folder.write("key.pem", &key.key);
}

#[tokio::test]
async fn replaced_certificates_are_shown_to_newcomers_unless_they_do_not_belong_together() {
    let (first, second) = (Authority::new("the first"), Authority::new("the second"));
    let (old, new) = (first.issue(&["host.example"]), second.issue(&["host.example"]));
    let folder = Folder::new();
    install(&folder, &old, &old);
    let loaded = Certificates::load(folder.path("chain.pem"), folder.path("key.pem")).await;
    let server = server().certificates(loaded.expect("they belong together")).in_memory();
    let stays = dial(&server, client().roots(&first.pem)).await.expect("connects");
    // Between the two steps of whoever replaces them.
    for (chain, key) in [(&new, &old), (&old, &new)] {
        install(&folder, chain, key);
        let error = server.handle().reload().await.expect_err("they do not belong together");
        assert!(matches!(error, KeyError::Mismatch { .. }), "{error:?}");
        for file in ["chain.pem", "key.pem"] {
            assert!(error.to_string().contains(&folder.path(file).display().to_string()), "{error}");
        }
        shows_chain(&server, &first).await;
    }
    install(&folder, &new, &new);
    server.handle().reload().await.expect("they belong together");
    shows_chain(&server, &second).await;
    let error = tls(dial(&server, client().roots(&first.pem)).await);
    assert!(error.to_string().contains("no root that is trusted"), "{error}");
    assert!(works(&stays).await);
}

#[tokio::test]
async fn if_one_file_is_bad_none_is_replaced() {
    let authority = Authority::new("an authority");
    let leaf = authority.issue(&["host.example"]);
    let folder = Folder::new();
    install(&folder, &leaf, &leaf);
    let loaded = Certificates::load(folder.path("chain.pem"), folder.path("key.pem")).await;
    let from_file = Identity::load_or_create(folder.write("server.key", rsa(0))).await.expect("it is a key");
    let server = server().identity(from_file).certificates(loaded.expect("they belong together")).in_memory();
    folder.write("server.key", rsa(1));
    folder.write("chain.pem", "no chain");
    let error = server.handle().reload().await.expect_err("one is bad");
    assert!(error.to_string().contains("chain.pem"), "{error}");
    shows(&server, 0).await;
    shows_chain(&server, &authority).await;
}

#[tokio::test]
async fn what_came_from_no_file_stays_until_it_is_set() {
    let (first, second) = (Authority::new("the first"), Authority::new("the second"));
    let leaf = first.issue(&["host.example"]);
    let server = server().identity(identity(0)).certificates(leaf.certificates()).in_memory();
    let handle = server.handle();
    handle.reload().await.expect("there is nothing to read");
    shows(&server, 0).await;
    shows_chain(&server, &first).await;
    let old = dial(&server, client().pin(pin(0))).await.expect("connects");
    handle.set_identity(identity(1));
    shows(&server, 1).await;
    shows_chain(&server, &first).await;
    handle.set_certificates(second.issue(&["host.example"]).certificates());
    shows(&server, 1).await;
    shows_chain(&server, &second).await;
    assert!(works(&old).await);
}

/// Of two that run at once, the one that began last has read what is there now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_reloads_at_once_the_last_one_counts() {
    let folder = Folder::new();
    let path = folder.write("server.key", rsa(0));
    let (server, _old) = from_file(&path).await;
    for turn in 1..=100 {
        let number = turn % 2;
        let first = tokio::spawn({
            let handle = server.handle();
            async move { handle.reload().await }
        });
        // Somewhere between its reading and its end.
        thread::sleep(Duration::from_micros(turn as u64 % 20 * 100));
        let beside = folder.write("new.key", rsa(number));
        fs::rename(beside, &path).expect("it can be put in its place");
        server.handle().reload().await.expect("it is a key");
        assert_eq!(shown(&server).await, pin(number), "turn {turn}");
        first.await.expect("no panic").expect("it was a key");
        assert_eq!(shown(&server).await, pin(number), "turn {turn}, once the first one is done, too");
    }
}

#[tokio::test]
async fn a_server_in_plain_text_has_nothing_to_reload() {
    let server = server().in_memory();
    server.handle().reload().await.expect("there is nothing to read");
    let client = dial(&server, client()).await.expect("connects");
    assert!(works(&client).await);
    // Whether TLS is spoken was settled when it began.
    server.handle().set_identity(identity(0));
    let error = tls(dial(&server, super::support::client().pin(pin(0))).await);
    assert!(error.to_string().contains("has TLS turned off"), "{error}");
}
