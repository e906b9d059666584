//! Chains of certificates and their keys: which are taken, and what is said of the others.

use pnet::{Certificates, KeyError};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};

use super::support::{
    Authority, Folder, Leaf, NAME, assert_keeps_secret, client, dial, openssl_text, rsa, server, set_mode, works,
};

fn host() -> &'static str {
    NAME.split(':').next().expect("it has a port")
}

/// Fails unless a client that trusts the authority gets through to a server with these certificates.
async fn serves(certificates: Certificates, authority: &Authority) {
    let server = server().certificates(certificates).in_memory();
    let client = dial(&server, client().roots(&authority.pem)).await.expect("connects");
    assert!(works(&client).await);
}

#[tokio::test]
async fn keys_of_every_algorithm_serve() {
    let authority = Authority::new("an authority");
    let folder = Folder::new();
    let keys = [
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        KeyPair::generate_for(&PKCS_ED25519),
        KeyPair::from_pkcs8_pem_and_sign_algo(rsa(0), &PKCS_RSA_SHA256),
    ];
    for key in keys {
        let leaf = authority.issue_with(&[host()], &key.expect("a key"), |_| {});
        serves(leaf.certificates(), &authority).await;
        let (chain, key) = (folder.write("chain.pem", &leaf.chain), folder.write("key.pem", &leaf.key));
        // Secrets are often mounted for a group.
        set_mode(&chain, 0o644);
        set_mode(&key, 0o640);
        serves(Certificates::load(&chain, &key).await.expect("they belong together"), &authority).await;
    }
}

#[tokio::test]
async fn keys_in_every_form_of_pem_serve() {
    let authority = Authority::new("an authority");
    let ec = authority.issue(&[host()]);
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(rsa(0), &PKCS_RSA_SHA256).expect("a key");
    let rsa = authority.issue_with(&[host()], &key, |_| {});
    let sec1 = openssl_text("ec", &ec.key);
    assert!(sec1.starts_with("-----BEGIN EC PRIVATE KEY-----"), "it is of the older form");
    let pkcs1 = openssl_text("rsa -traditional", &rsa.key);
    assert!(pkcs1.starts_with("-----BEGIN RSA PRIVATE KEY-----"), "it is of the older form");
    // What `openssl ecparam -genkey` writes in front of the key.
    let with_parameters = openssl_text("ecparam -name prime256v1", "") + &sec1;
    // One file for both, as some servers want it.
    let both = ec.chain.clone() + &ec.key;
    let forms = [(&ec, sec1), (&rsa, pkcs1), (&ec, with_parameters), (&ec, both), (&ec, ec.key.replace('\n', "\r\n"))];
    for (leaf, key) in forms {
        let certificates = Certificates::from_pem(&leaf.chain, &key).unwrap_or_else(|error| panic!("{error}: {key}"));
        serves(certificates, &authority).await;
    }
    let both = ec.key.clone() + &ec.chain;
    serves(Certificates::from_pem(&both, &both).expect("they belong together"), &authority).await;
}

#[tokio::test]
async fn words_between_the_certificates_do_not_matter() {
    let authority = Authority::new("an authority");
    let between = authority.intermediate("one in between");
    let leaf = between.issue(&[host()]);
    let chain = format!("# the server's\n{}\nsubject=one in between\n\n{}\nend", leaf.chain, between.pem);
    let certificates = Certificates::from_pem(chain, &leaf.key).expect("they belong together");
    assert_eq!(format!("{certificates:?}"), "Certificates(2)");
    serves(certificates, &authority).await;
}

#[tokio::test]
async fn a_key_of_another_certificate_is_named_with_the_chain() {
    let authority = Authority::new("an authority");
    let (mine, other) = (authority.issue(&[host()]), authority.issue(&[host()]));
    let folder = Folder::new();
    let (chain, key) = (folder.write("chain.pem", &mine.chain), folder.write("key.pem", &other.key));
    let error = Certificates::load(&chain, &key).await.expect_err("they do not belong together");
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error:?}");
    for path in [&chain, &key] {
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    keeps(&error, &other);
    // The server's own has to be the first.
    let turned = authority.pem.clone() + &mine.chain;
    let error = Certificates::from_pem(turned, &mine.key).expect_err("the first is another's");
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error:?}");
    // Of two algorithms.
    let error = Certificates::from_pem(&mine.chain, rsa(0)).expect_err("they do not belong together");
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error:?}");
    assert_keeps_secret(&format!("{error} {error:?}"), &[rsa(0)]);
}

#[tokio::test]
async fn a_chain_or_a_key_that_is_missing_is_named() {
    let leaf = Authority::new("an authority").issue(&[host()]);
    let folder = Folder::new();
    let (chain, key) = (folder.write("chain.pem", &leaf.chain), folder.write("key.pem", &leaf.key));
    let missing = folder.path("missing.pem");
    for (chain, key) in [(&missing, &key), (&chain, &missing)] {
        let error = Certificates::load(chain, key).await.expect_err("one is missing");
        assert!(matches!(error, KeyError::Io { what: "read", .. }), "{error:?}");
        assert!(error.to_string().contains(&missing.display().to_string()), "{error}");
    }
    let sub = folder.path("folder");
    std::fs::create_dir(&sub).expect("a folder can be made");
    for (chain, key) in [(&sub, &key), (&chain, &sub)] {
        let error = Certificates::load(chain, key).await.expect_err("one is a folder");
        assert!(matches!(error, KeyError::NotAFile { .. }), "{error:?}");
    }
    assert_eq!(folder.names(), ["chain.pem", "folder", "key.pem"]);
}

#[test]
fn chains_that_are_none_are_named() {
    let authority = Authority::new("an authority");
    let leaf = authority.issue(&[host()]);
    let two = leaf.chain.clone() + &authority.pem;
    let third = &two[..two.len() - 30];
    let spoiled = leaf.chain.replacen("MII", "%%%", 1);
    let nonsense = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n".to_owned();
    let chains = [
        ("holds no PEM", String::new()),
        ("holds no PEM", "these are no certificates\n".to_owned()),
        ("is not whole", leaf.chain[..leaf.chain.len() / 2].to_owned()),
        ("is not whole", third.to_owned()),
        ("is not whole", spoiled),
        ("a certificate (`-----BEGIN CERTIFICATE-----`) is wanted", leaf.key.clone()),
        ("cannot be read", nonsense),
    ];
    for (expected, chain) in chains {
        let error = Certificates::from_pem(&chain, &leaf.key).expect_err(&chain);
        assert!(error.to_string().contains("the chain's PEM"), "{error}");
        assert!(error.to_string().contains(expected), "{error} is said of {chain}");
        keeps(&error, &leaf);
    }
}

#[test]
fn keys_that_are_none_are_named() {
    let leaf = Authority::new("an authority").issue(&[host()]);
    let encrypted = openssl_text("pkcs8 -topk8 -passout pass:secret", &leaf.key);
    let half = &leaf.key[..leaf.key.len() / 2];
    let nonsense = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n".to_owned();
    let keys = [
        ("holds no PEM", String::new()),
        ("holds no PEM", "this is no key\n".to_owned()),
        ("is not whole", half.to_owned()),
        ("is not whole", leaf.key.replace('\n', "")),
        ("`CERTIFICATE`, and a private key without a password is wanted", leaf.chain.clone()),
        ("`ENCRYPTED PRIVATE KEY`, and a private key without a password is wanted", encrypted.clone()),
        ("`PUBLIC KEY`", openssl_text("pkey -pubout", &leaf.key)),
        ("its numbers do not belong together", nonsense),
    ];
    for (expected, key) in keys {
        let error = Certificates::from_pem(&leaf.chain, &key).expect_err(&key);
        assert!(error.to_string().contains("the key's PEM"), "{error}");
        assert!(error.to_string().contains(expected), "{error} is said of {key}");
        assert_keeps_secret(&format!("{error} {error:?}"), &[&leaf.key, &encrypted]);
    }
}

#[test]
fn what_people_see_of_certificates_is_their_number() {
    let leaf = Authority::new("an authority").issue(&[host()]);
    assert_eq!(format!("{:?}", leaf.certificates()), "Certificates(1)");
    let text = format!("{:?}", server().certificates(leaf.certificates()));
    assert_keeps_secret(&text, &[&leaf.key]);
}

fn keeps(error: &KeyError, leaf: &Leaf) {
    assert_keeps_secret(&format!("{error} {error:?}"), &[&leaf.key]);
}
