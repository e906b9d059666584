//! Directories of a test's own, and a protocol for what goes over the sockets in them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use pnet::{BindError, Packet, Peer, action, actions, protocol, transport::unix::UnixAcceptor};
use serde::{Deserialize, Serialize};

/// A directory that is removed when this is dropped. Its path is short, as those of sockets have to be.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pnet-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("it is new");
        let folder = Self(path);
        folder.set_mode(0o700);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn set_mode(&self, mode: u32) {
        set_mode(&self.0, mode);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.set_mode(0o700);
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// Why a socket cannot be bound there.
pub(crate) async fn refused(path: impl AsRef<Path>) -> BindError {
    let path = path.as_ref();
    match UnixAcceptor::bind(path).await {
        Ok(bound) => panic!("{} was bound: {bound:?}", path.display()),
        Err(error) => error,
    }
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) n: u8,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) n: u8,
    pub(crate) from: String,
}

protocol! { pub(crate) Quiz { client { Ask -> Told } } }

#[action("ASK")]
fn ask(p: Ask, peer: Peer<Quiz>) -> Told {
    Told { n: p.n + 1, from: peer.addr().to_string() }
}

actions! { pub(crate) server QuizServer for Quiz: ask }
actions! { pub(crate) client Ui for Quiz: }

/// In so long all is over, or nothing will come of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
