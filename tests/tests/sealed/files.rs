//! Files of sealing keys: made, kept and refused as those of identities are.

use std::{fs, path::PathBuf};

use pnet::{Identity, KeyError, SealingKey};

use super::support::{BOB_SEALING, fingerprint, pem, rsa};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pnet-sealed-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder can be made");
        Self(folder)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder is there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn set_mode(path: &PathBuf, mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode can be set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_at_once_get_one_key_that_nobody_else_can_read() {
    let folder = Folder::new("several");
    let path = folder.0.join("bob.sealing.key");
    let tasks: Vec<_> = (0..4).map(|_| tokio::spawn(SealingKey::load_or_create_with(path.clone(), 2048))).collect();
    let mut fingerprints = Vec::new();
    for task in tasks {
        fingerprints.push(task.await.expect("no panic").expect("all get one").fingerprint());
    }
    let before = fs::read(&path).expect("it is there");
    let again = SealingKey::load_or_create(&path).await.expect("it is there");
    assert_eq!(fingerprints, [again.fingerprint(); 4]);
    assert_eq!(fs::read(&path).expect("it is there"), before);
    assert_eq!(folder.names(), ["bob.sealing.key"]);
    // It is an RSA key as PKCS#8 in PEM.
    assert_eq!(Identity::from_pem(before).expect("it is a key").fingerprint(), again.fingerprint());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777, 0o600);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_can_read_is_refused_and_a_link_is_followed() {
    let folder = Folder::new("modes");
    let path = folder.0.join("key");
    fs::write(&path, pem(rsa(BOB_SEALING))).expect("a file can be written");
    for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
        set_mode(&path, mode);
        let error = SealingKey::load_or_create(&path).await.expect_err("others can read it");
        assert!(matches!(error, KeyError::Permissions { mode: named, .. } if named == mode), "{error:?}");
    }
    set_mode(&path, 0o600);
    let link = folder.0.join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link can be made");
    for path in [&path, &link] {
        let key = SealingKey::load_or_create(path).await.expect("it is a key");
        assert_eq!(key.fingerprint(), fingerprint(BOB_SEALING));
    }
    let nowhere = folder.0.join("nowhere");
    std::os::unix::fs::symlink(folder.0.join("missing"), &nowhere).expect("a link can be made");
    SealingKey::load_or_create_with(&nowhere, 2048).await.expect_err("it leads nowhere");
    assert_eq!(folder.names(), ["key", "link", "nowhere"]);
}

#[tokio::test]
async fn what_is_no_key_is_named_and_not_repeated() {
    let folder = Folder::new("none");
    for bits in [0, 1024, 2047, 4097] {
        let error = SealingKey::load_or_create_with(folder.0.join("key"), bits).await.expect_err("is not made");
        assert!(matches!(error, KeyError::Bits { bits: named, .. } if named == bits), "{error:?}");
    }
    assert!(folder.names().is_empty());
    let ec = rcgen::KeyPair::generate().expect("a key can be made").serialize_pem();
    let good = pem(rsa(BOB_SEALING));
    for (text, words) in [
        (ec.clone(), "an EC key"),
        ("a secret".to_owned(), "holds no PEM"),
        (good[..good.len() / 2].to_owned(), "is not whole"),
        (good.replace("PRIVATE KEY", "PUBLIC KEY"), "`PUBLIC KEY`"),
    ] {
        let error = SealingKey::from_pem(&text).expect_err(words);
        let said = format!("{error} {error:?}");
        assert!(said.contains(words), "{said}");
        for line in text.lines().filter(|line| !line.starts_with("-----")) {
            assert!(!said.contains(line), "{said}");
        }
    }
    let key = SealingKey::from_pem(&good).expect("it is a key");
    assert_eq!(format!("{key:?}"), format!("SealingKey({})", fingerprint(BOB_SEALING)));
}
