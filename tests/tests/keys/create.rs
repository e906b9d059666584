//! Keys that pnet makes: what is written, and what becomes of several that want to write it.

use std::{fs, path::PathBuf};

use pnet::{Identity, KeyError};
use rsa::{
    PrivateKey,
    pkcs8::{EncodePrivateKey, LineEnding},
    traits::{PrivateKeyParts, PublicKeyParts},
};

use super::support::{
    Folder, PATIENCE, Snapshot, child, client, dial, fingerprint_by_openssl, mode, numbers, openssl_text, rsa,
    server_with, works,
};

#[tokio::test]
async fn a_new_key_is_one_for_openssl_too_and_nobody_else_can_read_it() {
    let folder = Folder::new();
    let path = folder.path("server.key");
    let identity = Identity::load_or_create(&path).await.expect("it is made");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(folder.names(), ["server.key"]);
    let pem = fs::read_to_string(&path).expect("it is text");
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "PKCS#8 in PEM");
    assert!(pem.ends_with("-----END PRIVATE KEY-----\n"), "PKCS#8 in PEM");
    assert_eq!(identity.fingerprint(), fingerprint_by_openssl(&pem));
    let checked = openssl_text("pkey -noout -check -text", &pem);
    assert!(checked.contains("Key is valid"), "{checked}");
    assert!(checked.contains("(3072 bit"), "{checked}");
    assert!(checked.contains("publicExponent: 65537"), "{checked}");
}

#[tokio::test]
async fn a_key_that_is_there_is_kept() {
    let folder = Folder::new();
    let path = folder.write("server.key", rsa(0));
    let before = Snapshot::of(&path);
    for _ in 0..3 {
        let identity = Identity::load_or_create_with(&path, 4096).await.expect("it is a key");
        assert_eq!(identity.fingerprint(), fingerprint_by_openssl(rsa(0)));
    }
    assert_eq!(Snapshot::of(&path), before);
    assert_eq!(folder.names(), ["server.key"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_at_once_get_one_key_and_leave_nothing_else() {
    let folder = Folder::new();
    let path = folder.path("server.key");
    let tasks: Vec<_> = (0..16).map(|_| tokio::spawn(Identity::load_or_create_with(path.clone(), 2048))).collect();
    let mut fingerprints = Vec::new();
    for task in tasks {
        fingerprints.push(task.await.expect("no panic").expect("all get one").fingerprint());
    }
    let pem = fs::read_to_string(&path).expect("it is text");
    assert_eq!(fingerprints, [fingerprint_by_openssl(&pem); 16]);
    assert_eq!(folder.names(), ["server.key"]);
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn several_programs_at_once_get_one_key() {
    let folder = Folder::new();
    let path = folder.path("server.key");
    let children: Vec<_> =
        (0..4).map(|_| child("create::prints_the_fingerprint_of_a_key", &[(KEY_FILE, &*path)])).collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        let expected = fingerprint_by_openssl(&fs::read_to_string(&path).expect("it is text"));
        assert!(printed.contains(&format!("fingerprint {expected}")), "{printed}");
    }
    assert_eq!(folder.names(), ["server.key"]);
}

/// A part of the test above, which sets the variable.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn prints_the_fingerprint_of_a_key() {
    let Some(path) = std::env::var_os(KEY_FILE).map(PathBuf::from) else { return };
    let identity = Identity::load_or_create_with(path, 2048).await.expect("it is made");
    println!("fingerprint {}", identity.fingerprint());
}

#[tokio::test]
async fn whoever_stops_waiting_leaves_a_whole_key_or_none() {
    let folder = Folder::new();
    let path = folder.path("server.key");
    let mut waiting = Box::pin(Identity::load_or_create_with(&path, 2048));
    tokio::select! {
        biased;
        _ = &mut waiting => {}
        () = std::future::ready(()) => {}
    }
    drop(waiting);
    let identity = Identity::load_or_create_with(&path, 2048).await.expect("it is a key");
    assert_eq!(identity.fingerprint(), fingerprint_by_openssl(&fs::read_to_string(&path).expect("it is text")));
}

#[tokio::test]
async fn keys_of_other_lengths_are_not_made() {
    let folder = Folder::new();
    for bits in [0, 1024, 2047, 4097, u32::MAX] {
        let error = Identity::load_or_create_with(folder.path("server.key"), bits).await.expect_err("is not made");
        assert!(matches!(error, KeyError::Bits { bits: named, .. } if named == bits), "{error:?}");
        assert!(matches!(Identity::generate_with(bits).await, Err(KeyError::Bits { .. })));
    }
    assert!(folder.names().is_empty());
}

#[test]
fn the_larger_prime_comes_first_in_what_is_written() {
    for number in 0..3 {
        let key = numbers(rsa(number));
        let [p, q] = key.primes() else { panic!("it has two primes") };
        assert!(p > q);
    }
}

#[tokio::test]
async fn a_key_with_the_smaller_prime_first_works_like_any_other() {
    let key = numbers(rsa(0));
    let [p, q] = key.primes() else { panic!("it has two primes") };
    let primes = vec![q.clone().get(), p.clone().get()];
    let (n, e, d) = (key.n().clone().get(), key.e().clone(), key.d().clone());
    let swapped = PrivateKey::from_components(n, e, d, primes).expect("it is the same key");
    let pem = swapped.to_pkcs8_pem(LineEnding::LF).expect("it can be written");
    let read = numbers(&pem);
    assert!(read.primes()[0] < read.primes()[1], "the file has the smaller one first");

    let identity = Identity::from_pem(pem.as_bytes()).expect("it is a key");
    assert_eq!(identity.fingerprint(), fingerprint_by_openssl(rsa(0)));
    let server = server_with(identity.clone());
    let client = client().pin(identity.fingerprint()).identity(identity.clone());
    let client = tokio::time::timeout(PATIENCE, dial(&server, client)).await.expect("in time").expect("connects");
    assert!(works(&client).await);
    assert_eq!(client.key(), Some(identity.fingerprint()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_key_is_followed_and_one_to_nothing_is_an_error() {
    let folder = Folder::new();
    let link = folder.path("link");
    std::os::unix::fs::symlink(folder.write("server.key", rsa(0)), &link).expect("a link can be made");
    let identity = Identity::load_or_create(&link).await.expect("it is a key");
    assert_eq!(identity.fingerprint(), fingerprint_by_openssl(rsa(0)));
    let nowhere = folder.path("nowhere");
    std::os::unix::fs::symlink(folder.path("missing"), &nowhere).expect("a link can be made");
    let error = Identity::load_or_create_with(&nowhere, 2048).await.expect_err("it leads nowhere");
    assert!(error.to_string().contains(&nowhere.display().to_string()), "{error}");
    assert_eq!(folder.names(), ["link", "nowhere", "server.key"]);
}

#[tokio::test]
async fn what_people_see_of_a_key_is_its_fingerprint() {
    let folder = Folder::new();
    let identity = Identity::load_or_create(folder.write("server.key", rsa(0))).await.expect("it is a key");
    let fingerprint = fingerprint_by_openssl(rsa(0));
    assert_eq!(format!("{identity:?}"), format!("Identity({fingerprint})"));
}

const KEY_FILE: &str = "PNET_TEST_KEY_FILE";
