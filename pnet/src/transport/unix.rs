//! Unix sockets: for those who are on the same machine and are the same user.
//!
//! A socket is as safe as the directory that it lies in: its own mode is settled only after it can be reached. So the
//! directory has to belong to the user who binds, with mode 0700, and who connects has to be that user or root, too.
//!
//! # Examples
//!
//! ```
//! # use pnet::{Packet, protocol, actions, action};
//! # use serde::{Serialize, Deserialize};
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Told { n: u8 }
//! # protocol! { pub Quiz { client { Ask -> Told } } }
//! # #[action("ASK")] fn ask(p: Ask) -> Told { Told { n: p.n + 1 } }
//! # actions! { pub server QuizServer for Quiz: ask }
//! # actions! { pub client Ui for Quiz: }
//! use pnet::transport::unix::{self, UnixAcceptor};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("pnet-doc-{}", std::process::id()));
//! let path = folder.join("quiz.sock");
//! let server = pnet::serve(QuizServer, ()).listen(UnixAcceptor::bind(&path).await?);
//!
//! let (io, peer) = unix::connect(&path).await?;
//! let quiz = pnet::connect(Ui, ()).over(io, peer).await?;
//! assert_eq!(quiz.call(Ask { n: 1 }).await?.n, 2);
//! # drop(server);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(()) }
//! ```

mod place;

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

use super::{Listener, PeerAddr};
use crate::error::BindError;

/// A bound Unix socket. It takes peers of its owner and of root; others are dropped, and their user id is logged.
///
/// Dropped, it removes the socket from its directory, unless another one has taken its place.
#[derive(Debug)]
pub struct UnixAcceptor {
    listener: UnixListener,
    /// Absolute, whatever becomes of the working directory.
    path: PathBuf,
    file: FileId,
    owner: u32,
}

impl UnixAcceptor {
    /// Binds a socket at this path, in a directory that only its owner may enter.
    ///
    /// A directory that is missing is made with mode 0700; the one above it has to be there. A directory that is there has
    /// to belong to this program's user, with mode 0700, and to be no symbolic link.
    ///
    /// A socket that an earlier program has left at the path is removed: one that nobody answers at. Anything else that is
    /// there stays as it is.
    ///
    /// # Errors
    ///
    /// - [`BindError::PathTooLong`]: a Unix socket's path has up to 107 bytes on Linux, and 103 elsewhere.
    /// - [`BindError::OpenDirectory`]: others could reach the socket, or put another in its place; the error says how to mend it.
    /// - [`BindError::InUse`]: a program answers at the socket that is there.
    /// - [`BindError::NotASocket`]: something else is there.
    /// - [`BindError::Io`]: the system's own.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing listens; a socket may be left behind, which the next bind removes.
    pub async fn bind(path: impl AsRef<Path>) -> Result<Self, BindError> {
        let path = path.as_ref().to_owned();
        let io_error = |source| BindError::Io { address: path.display().to_string(), source };
        let owner = own_uid().map_err(io_error)?;
        let to_bind = path.clone();
        // It waits for another program that binds at the same time.
        let bound = tokio::task::spawn_blocking(move || place::bind(&to_bind, owner)).await;
        let place::Bound { listener, path: absolute, socket } = bound.map_err(|error| io_error(error.into()))??;
        listener.set_nonblocking(true).map_err(io_error)?;
        let listener = UnixListener::from_std(listener).map_err(io_error)?;
        Ok(Self { listener, path: absolute, file: FileId::of(&socket), owner })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Listener for UnixAcceptor {
    type Io = UnixStream;
    type Addr = PathBuf;

    async fn accept(&mut self) -> io::Result<(UnixStream, PeerAddr)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match peer_of(&stream) {
                Ok(peer) if may_enter(&peer, self.owner) => return Ok((stream, peer)),
                Ok(peer) => {
                    tracing::warn!(%peer, owner = self.owner, path = %self.path.display(), "another user's connection was dropped");
                }
                Err(error) => tracing::debug!(%error, "nobody knows whose connection it was"),
            }
        }
    }

    fn local_addr(&self) -> PathBuf {
        self.path.clone()
    }
}

/// While the socket is open, its inode is not given to another.
impl Drop for UnixAcceptor {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| FileId::of(&found) == self.file);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket stays behind");
        }
    }
}

/// Connects to the socket at this path, for [`over`](crate::ClientBuilder::over) and [`via`](crate::ReconnectBuilder::via). Who
/// is at the other end is in the address: the user that runs the server, whom a client that shows credentials should
/// know.
///
/// # Errors
///
/// The operating system's, with the path: nothing is there, nobody answers, or it is not for this user.
///
/// # Cancel safety
///
/// Dropped before it is ready, nothing is left open.
pub async fn connect(path: impl AsRef<Path> + Send) -> io::Result<(UnixStream, PeerAddr)> {
    let path = path.as_ref();
    dial(path).await.map_err(|error| match error.kind() {
        // It names the path itself.
        io::ErrorKind::InvalidInput => error,
        kind => io::Error::new(kind, format!("cannot connect to {}: {error}", path.display())),
    })
}

/// The same, with an error that leaves it to the caller to name the path.
pub(crate) async fn dial(path: &Path) -> io::Result<(UnixStream, PeerAddr)> {
    place::check_length(path).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let stream = UnixStream::connect(path).await?;
    let peer = peer_of(&stream)?;
    Ok((stream, peer))
}

/// The user that this program is, as others see it: the one that a socket of its own names.
fn own_uid() -> io::Result<u32> {
    let (ours, _other) = UnixStream::pair()?;
    Ok(ours.peer_cred()?.uid())
}

/// Who is at the other end, as the system has noted when it connected or began to listen.
fn peer_of(stream: &UnixStream) -> io::Result<PeerAddr> {
    let credentials = stream.peer_cred()?;
    Ok(PeerAddr::Unix { uid: credentials.uid(), pid: credentials.pid() })
}

/// Whether a peer may use the socket of this owner: the same user, and root, from whom nothing can be kept.
const fn may_enter(peer: &PeerAddr, owner: u32) -> bool {
    matches!(peer, PeerAddr::Unix { uid, .. } if *uid == owner || *uid == ROOT)
}

/// What tells a file from all others that there are at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_root_may_enter() {
        let peer = |uid| PeerAddr::Unix { uid, pid: None };
        assert!(may_enter(&peer(1000), 1000) && may_enter(&peer(0), 1000) && may_enter(&peer(0), 0));
        assert!(!may_enter(&peer(1001), 1000) && !may_enter(&peer(1000), 0) && !may_enter(&peer(u32::MAX), 1000));
        assert!(!may_enter(&PeerAddr::Memory, 0));
    }
}
