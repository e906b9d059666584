//! Files of keys: which are taken, and what is said of the others. None is ever changed.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pnet::{Identity, KeyError};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rsa::{
    BoxedUint, PrivateKey,
    pkcs8::{EncodePrivateKey, LineEnding},
    traits::PublicKeyParts,
};

use super::support::{
    Authority, Folder, Snapshot, assert_keeps_secret, fingerprint_by_openssl, identity, numbers, openssl_text, rsa,
    set_mode,
};

async fn refused(path: &Path) -> KeyError {
    Identity::load_or_create(path).await.expect_err("it is no file of a key")
}

#[tokio::test]
async fn what_is_no_rsa_key_is_named_and_left_alone() {
    let ec = KeyPair::generate().expect("a key can be made");
    let ec384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key can be made");
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
    let pss = openssl_text("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", "");
    let sec1 = openssl_text("ec", ec.serialize_pem());
    let pkcs1 = openssl_text("rsa -traditional", rsa(0));
    let encrypted = openssl_text("pkcs8 -topk8 -passout pass:secret", rsa(0));
    let keys = [&ec.serialize_pem(), &ec384.serialize_pem(), &ed25519.serialize_pem(), &pss, &sec1, &pkcs1, &encrypted];
    let texts = [
        ("an EC key", ec.serialize_pem()),
        ("an EC key", ec384.serialize_pem()),
        ("an Ed25519 key", ed25519.serialize_pem()),
        ("an RSA key that is for PSS only", pss.clone()),
        ("`EC PRIVATE KEY`", sec1.clone()),
        ("of the older form PKCS#1 (`openssl pkey` rewrites it)", pkcs1.clone()),
        ("a private key with a password", encrypted.clone()),
        ("`PUBLIC KEY`", openssl_text("pkey -pubout", rsa(0))),
        ("`CERTIFICATE`", Authority::new("an authority").pem),
        ("`OPENSSH PRIVATE KEY`", label_swapped("OPENSSH PRIVATE KEY")),
    ];
    let folder = Folder::new();
    for (expected, text) in &texts {
        let path = folder.write("key", text);
        let before = Snapshot::of(&path);
        let error = refused(&path).await;
        assert!(matches!(error, KeyError::Kind { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("an RSA key as PKCS#8 in PEM"), "{error}");
        names_and_keeps(&error, &path, &keys.map(|key| &**key));
        assert_eq!(Snapshot::of(&path), before);
        assert_eq!(folder.names(), ["key"]);
    }
}

#[tokio::test]
async fn what_is_no_pem_is_named_and_left_alone() {
    let folder = Folder::new();
    let der = STANDARD.decode(body(rsa(0))).expect("it is base64");
    let long = vec![b'a'; 1 << 20];
    let texts: [&[u8]; 6] = [b"", b"\n", b"it is a secret\n", &der, &[0xff; 100], &long];
    for text in texts {
        let path = folder.write("key", text);
        let before = Snapshot::of(&path);
        let error = refused(&path).await;
        assert!(matches!(error, KeyError::NotPem { .. }), "{error:?}");
        names_and_keeps(&error, &path, &[rsa(0)]);
        assert_eq!(Snapshot::of(&path), before);
        assert!(matches!(Identity::from_pem(text), Err(KeyError::NotPem { origin }) if origin == "the PEM"));
    }
}

#[tokio::test]
async fn keys_that_are_too_short_or_too_long_are_named_by_their_length() {
    let folder = Folder::new();
    for (bits, pem) in
        [(1024, generated(1024)), (2047, generated(2047)), (4160, composed(4160)), (8192, composed(8192))]
    {
        let path = folder.write("key", &pem);
        let before = Snapshot::of(&path);
        let error = refused(&path).await;
        assert!(matches!(error, KeyError::Bits { bits: found, .. } if found == bits), "{error:?}");
        assert!(error.to_string().contains(&format!("{bits} bits")), "{error}");
        names_and_keeps(&error, &path, &[&pem]);
        assert_eq!(Snapshot::of(&path), before);
    }
}

#[tokio::test]
async fn keys_that_others_have_made_are_taken() {
    let folder = Folder::new();
    // The longest takes long to make.
    for pem in [generated(2048), generated(3072), composed(4096)] {
        let identity = Identity::load_or_create(folder.write("key", &pem)).await.expect("it is a key");
        assert_eq!(identity.fingerprint(), fingerprint_by_openssl(&pem));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_read_or_change_is_refused_with_its_mode() {
    let folder = Folder::new();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o777] {
        let path = folder.write("key", rsa(0));
        set_mode(&path, mode);
        let before = Snapshot::of(&path);
        let error = refused(&path).await;
        assert!(matches!(error, KeyError::Permissions { mode: found, .. } if found == mode), "{error:?}");
        assert!(error.to_string().contains(&format!("mode {mode:04o}")), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
        names_and_keeps(&error, &path, &[rsa(0)]);
        assert_eq!(Snapshot::of(&path), before);
    }
    for mode in [0o400, 0o600, 0o700] {
        let path = folder.write("key", rsa(0));
        set_mode(&path, mode);
        let found = Identity::load_or_create(&path).await.expect("only its owner can read it");
        assert_eq!(found.fingerprint(), identity(0).fingerprint());
    }
}

/// Nobody writes into it, and it must not be waited for.
#[tokio::test]
async fn a_pipe_is_no_file() {
    let folder = Folder::new();
    let path = folder.path("key");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    let error = refused(&path).await;
    assert!(matches!(error, KeyError::NotAFile { .. }), "{error:?}");
}

#[tokio::test]
async fn a_folder_is_no_file() {
    let folder = Folder::new();
    let path = folder.path("key");
    std::fs::create_dir(&path).expect("a folder can be made");
    let error = refused(&path).await;
    assert!(matches!(error, KeyError::NotAFile { .. }), "{error:?}");
    names_and_keeps(&error, &path, &[]);
}

#[tokio::test]
async fn a_missing_folder_is_an_error_and_not_made() {
    let folder = Folder::new();
    let path = folder.path("missing").join("key");
    let error = refused(&path).await;
    assert!(matches!(error, KeyError::Io { what: "create", .. }), "{error:?}");
    names_and_keeps(&error, &path, &[]);
    assert!(folder.names().is_empty());
    // What stands where the folder should be is no folder.
    let path = folder.write("file", "").join("key");
    names_and_keeps(&refused(&path).await, &path, &[]);
}

#[test]
fn a_key_that_was_written_by_half_is_an_error_wherever_it_ends() {
    let pem = rsa(0);
    // What is missing last is the line's end, which may be missing.
    for len in 0..pem.len() - 1 {
        let error = Identity::from_pem(&pem[..len]).expect_err("it is not whole");
        assert!(matches!(error, KeyError::NotPem { .. } | KeyError::Torn { .. }), "{len} bytes: {error:?}");
        names_and_keeps(&error, Path::new("the PEM"), &[pem]);
    }
    Identity::from_pem(&pem[..pem.len() - 1]).expect("it is whole");
}

#[tokio::test]
async fn a_file_that_was_written_by_half_is_named_and_left_alone() {
    let folder = Folder::new();
    let pem = rsa(0);
    for len in [1, 20, 27, 28, 100, pem.len() / 2, pem.len() - 30, pem.len() - 2] {
        let path = folder.write("key", &pem[..len]);
        let before = Snapshot::of(&path);
        let error = refused(&path).await;
        names_and_keeps(&error, &path, &[pem]);
        assert_eq!(Snapshot::of(&path), before);
    }
}

#[test]
fn a_key_whose_middle_is_missing_is_an_error() {
    let lines: Vec<_> = rsa(0).lines().collect();
    for missing in 1..lines.len() - 1 {
        let holed = [&lines[..missing], &lines[missing + 1..]].concat().join("\n");
        let error = Identity::from_pem(holed).expect_err("a line is missing");
        assert!(matches!(error, KeyError::Torn { .. } | KeyError::Broken { .. }), "line {missing}: {error:?}");
        names_and_keeps(&error, Path::new("the PEM"), &[rsa(0)]);
    }
}

#[test]
fn numbers_that_do_not_belong_together_are_no_key() {
    let (mine, other) = (STANDARD.decode(body(rsa(0))), STANDARD.decode(body(rsa(1))));
    let (mut mine, other) = (mine.expect("it is base64"), other.expect("it is base64"));
    // The modulus of another key, which has the same length and the same place.
    let modulus = numbers(rsa(0)).n().to_be_bytes();
    let at = mine.windows(modulus.len()).position(|part| *part == *modulus).expect("it is in there");
    mine[at..at + modulus.len()].copy_from_slice(&other[at..at + modulus.len()]);
    let error = Identity::from_pem(armored(&mine)).expect_err("the modulus is another's");
    assert!(matches!(error, KeyError::Broken { .. }), "{error:?}");
    assert!(error.to_string().contains("its numbers do not belong together"), "{error}");
    names_and_keeps(&error, Path::new("the PEM"), &[rsa(0), rsa(1)]);
}

#[test]
fn a_byte_that_has_flipped_makes_an_error_or_does_not_matter() {
    let pem = rsa(0);
    let der = STANDARD.decode(body(pem)).expect("it is base64");
    let whole = identity(0).fingerprint();
    for at in (0..40).chain((40..der.len()).step_by(13)) {
        let mut flipped = der.clone();
        flipped[at] ^= 0x40;
        match Identity::from_pem(armored(&flipped)) {
            // Some of the numbers follow from others, and are not read.
            Ok(identity) => assert_eq!(identity.fingerprint(), whole, "at {at}"),
            Err(error) => names_and_keeps(&error, Path::new("the PEM"), &[pem]),
        }
    }
}

#[test]
fn a_key_whose_lines_were_joined_is_an_error_that_repeats_none_of_it() {
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made").serialize_pem();
    for pem in [rsa(0), &ed25519] {
        for joined in [pem.replace('\n', ""), pem.replace('\n', " "), pem.replace('\n', "\\n"), pem.replace(' ', "")] {
            let error = Identity::from_pem(&joined).expect_err("it has one line");
            names_and_keeps(&error, Path::new("the PEM"), &[pem]);
        }
    }
}

#[test]
fn line_ends_of_other_systems_and_words_around_the_key_do_not_matter() {
    let pem = rsa(0);
    for same in [pem.replace('\n', "\r\n"), format!("Bag Attributes\n    friendlyName: a key\n{pem}\nend\n")] {
        let identity = Identity::from_pem(same).expect("it is a key");
        assert_eq!(identity.fingerprint(), fingerprint_by_openssl(pem));
    }
}

/// What an error has to say, and what it must not.
#[track_caller]
fn names_and_keeps(error: &KeyError, path: &Path, keys: &[&str]) {
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.len() < 400, "{text}");
    for said in [text, debug] {
        assert_keeps_secret(&said, keys);
    }
}

fn generated(bits: u32) -> String {
    openssl_text(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits}"), "")
}

/// A key whose numbers belong together, and whose primes are none. It takes no time to make.
fn composed(bits: u32) -> String {
    let mut bytes = vec![0xff; usize::try_from(bits / 16).expect("it is small")];
    let p = BoxedUint::from_be_slice(&bytes, bits / 2).expect("it fits");
    bytes[0] = 0xfe;
    let q = BoxedUint::from_be_slice(&bytes, bits / 2).expect("it fits");
    let key = PrivateKey::from_p_q(p, q, BoxedUint::from(65_537_u32)).expect("they belong together");
    key.to_pkcs8_pem(LineEnding::LF).expect("it can be written").to_string()
}

/// The base64 of a PEM.
fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

fn armored(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// The first key under another label.
fn label_swapped(label: &str) -> String {
    rsa(0).replace("PRIVATE KEY", label)
}
