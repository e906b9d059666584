//! Paths and directories that a socket must not be bound at. Whatever is there stays as it was.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixDatagram},
    path::{Path, PathBuf},
    process::Command,
};

use pnet::{
    BindError,
    transport::unix::{self, UnixAcceptor},
};

use super::support::{Folder, refused, set_mode};

/// The longest path of a socket.
const MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

fn open_directory(error: &BindError, words: &str) {
    let BindError::OpenDirectory { what, .. } = error else { panic!("{error:?}") };
    assert!(what.contains(words), "{what}");
}

fn not_a_socket(error: &BindError, words: &str) {
    let BindError::NotASocket { what, .. } = error else { panic!("{error:?}") };
    assert_eq!(*what, words);
}

#[tokio::test]
async fn a_directory_that_others_may_enter_is_refused() {
    let folder = Folder::new();
    for mode in [0o755, 0o750, 0o770, 0o777, 0o701, 0o710, 0o704, 0o720, 0o1777, 0o500, 0o600] {
        folder.set_mode(mode);
        let error = refused(folder.at("quiz.sock")).await;
        open_directory(&error, &format!("its mode is {:04o}: `chmod 700` it", mode & 0o777));
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    }
    // With the mode that the error asks for it works.
    folder.set_mode(0o700);
    drop(UnixAcceptor::bind(folder.at("quiz.sock")).await.expect("it is free"));
    folder.set_mode(0o2700);
    drop(UnixAcceptor::bind(folder.at("quiz.sock")).await.expect("it is free"));
}

#[tokio::test]
async fn a_directory_of_somebody_else_is_refused() {
    // A program that is not root cannot give anything away: then it looks at what is root's.
    let folder = Folder::new();
    let (directory, owner) = if std::os::unix::fs::chown(folder.path(), Some(54_321), None).is_ok() {
        (folder.path(), 54_321)
    } else {
        (Path::new("/"), 0)
    };
    let error = refused(directory.join("quiz.sock")).await;
    open_directory(&error, &format!("it belongs to user {owner}, and this program is user"));
    let _ = std::os::unix::fs::chown(folder.path(), Some(0), None);
}

#[tokio::test]
async fn a_directory_that_is_none_is_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.at("real")).expect("it is new");
    set_mode(&folder.at("real"), 0o700);
    symlink(folder.at("real"), folder.at("link")).expect("it is new");
    open_directory(&refused(folder.at("link").join("quiz.sock")).await, "it is a symbolic link");

    symlink(folder.at("nowhere"), folder.at("dangling")).expect("it is new");
    open_directory(&refused(folder.at("dangling").join("quiz.sock")).await, "it is a symbolic link");
    assert!(!folder.at("nowhere").exists());

    fs::write(folder.at("file"), "text").expect("it is new");
    open_directory(&refused(folder.at("file").join("quiz.sock")).await, "it is no directory");
    assert_eq!(fs::read_to_string(folder.at("file")).expect("it is there"), "text");
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");

    fs::write(&path, "precious").expect("it is new");
    let error = refused(&path).await;
    not_a_socket(&error, "a file");
    let expected = format!("{} is a file, and no socket: remove it, or choose another path", path.display());
    assert_eq!(error.to_string(), expected);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "precious");
    fs::remove_file(&path).expect("it is ours");

    fs::write(&path, "").expect("it is new");
    not_a_socket(&refused(&path).await, "a file");
    fs::remove_file(&path).expect("an empty one is there, too");

    fs::create_dir(&path).expect("it is new");
    not_a_socket(&refused(&path).await, "a directory");
    fs::remove_dir(&path).expect("it is there");

    // A link is not followed, wherever it leads to.
    fs::write(folder.at("target"), "precious").expect("it is new");
    for target in ["target", "nowhere", "quiz.sock"] {
        symlink(folder.at(target), &path).expect("it is new");
        not_a_socket(&refused(&path).await, "a symbolic link");
        assert_eq!(fs::read_link(&path).expect("it is there"), folder.at(target));
        fs::remove_file(&path).expect("it is there");
    }
    assert_eq!(fs::read_to_string(folder.at("target")).expect("it is there"), "precious");
    assert!(!folder.at("nowhere").exists());

    let stale = folder.at("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).expect("it is new"));
    symlink(&stale, &path).expect("it is new");
    not_a_socket(&refused(&path).await, "a symbolic link");
    assert!(stale.exists(), "what a link leads to is not removed either");
    fs::remove_file(&path).expect("it is there");

    assert!(Command::new("mkfifo").arg(&path).status().expect("there is such a program").success());
    not_a_socket(&refused(&path).await, "a pipe");
    assert!(path.exists());
}

#[tokio::test]
async fn a_socket_of_another_kind_is_left_alone() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let _theirs = UnixDatagram::bind(&path).expect("it is new");
    let error = refused(&path).await;
    assert!(matches!(error, BindError::Io { .. }), "{error:?}");
    assert!(path.exists());
}

#[tokio::test]
async fn a_path_that_is_too_long_is_named_with_its_limit() {
    let folder = Folder::new();
    let room = MAX - folder.path().as_os_str().len() - 1;
    drop(UnixAcceptor::bind(folder.at(&"x".repeat(room))).await.expect("it just fits"));
    for len in [room + 1, room + 2, 5000] {
        let path = folder.at(&"x".repeat(len));
        let error = refused(&path).await;
        let whole = path.as_os_str().len();
        assert!(matches!(&error, BindError::PathTooLong { len, max: MAX, .. } if *len == whole), "{error:?}");
        let said = error.to_string();
        assert!(said.ends_with(&format!(
            "has {whole} bytes, and the path of a Unix socket may have {MAX}: choose a shorter one"
        )));
        let connecting = unix::connect(&path).await.expect_err("it is too long");
        assert_eq!((connecting.kind(), connecting.to_string()), (std::io::ErrorKind::InvalidInput, said));
    }
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[tokio::test]
async fn paths_without_a_name_are_refused() {
    let folder = Folder::new();
    // The empty path would be a socket that everybody on the machine may connect to.
    for path in ["", "/", ".", "..", "/tmp/.."] {
        let error = refused(path).await;
        assert!(matches!(error, BindError::Io { .. } | BindError::OpenDirectory { .. }), "{path:?}: {error:?}");
    }
    for name in [&b"with\0zero"[..], b"\0abstract"] {
        let error = refused(folder.path().join(OsStr::from_bytes(name))).await;
        assert!(matches!(error, BindError::Io { .. }), "{error:?}");
    }
    let error = refused(PathBuf::from(OsStr::from_bytes(b"\0abstract"))).await;
    assert!(matches!(error, BindError::Io { .. } | BindError::OpenDirectory { .. }), "{error:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[tokio::test]
async fn names_that_are_no_text_do_as_well() {
    let folder = Folder::new();
    let path = folder.path().join(OsStr::from_bytes(b"qu\xffiz \x1b[31m"));
    let bound = UnixAcceptor::bind(&path).await.expect("it is free");
    assert!(unix::connect(&path).await.is_ok());
    drop(bound);
    assert!(!path.exists());
}

#[tokio::test]
async fn nobody_answers_where_nothing_is() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let missing = unix::connect(&path).await.expect_err("nothing is there");
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    assert!(missing.to_string().starts_with(&format!("cannot connect to {}: ", path.display())), "{missing}");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("it is new"));
    let stale = unix::connect(&path).await.expect_err("nobody answers");
    assert_eq!(stale.kind(), std::io::ErrorKind::ConnectionRefused);
}
