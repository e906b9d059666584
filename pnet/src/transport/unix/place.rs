//! Where a Unix socket lies: the directory that protects it, and what is at its path already.

use std::{
    fs::{self, DirBuilder, File, Metadata, TryLockError},
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::FileId;
use crate::error::BindError;

/// A socket at its path.
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    /// What the system says of it.
    pub(super) socket: Metadata,
}

/// Binds a socket for `owner`, the user that this program is, and removes one that was left behind. It blocks, for [`PATIENCE`] at most.
pub(super) fn bind(path: &Path, owner: u32) -> Result<Bound, BindError> {
    let io_error = |source| BindError::Io { address: path.display().to_string(), source };
    check_length(path)?;
    let directory = directory_of(path).map_err(io_error)?;
    let before = protect(&directory, owner)?;
    // Of two programs that find the same old socket, the second would remove the new one of the first.
    let lock = lock(&directory).map_err(io_error)?;
    make_room(path)?;
    let listener = UnixListener::bind(path).map_err(io_error)?;
    let socket = fs::symlink_metadata(path).map_err(io_error)?;
    drop(lock);
    // The name may have been given to another directory meanwhile, by those who may write to the one above it.
    let after = protect(&directory, owner)?;
    if FileId::of(&before) != FileId::of(&after) || socket.uid() != owner || !socket.file_type().is_socket() {
        let what =
            "it was exchanged while the socket was bound: choose one where nobody else may write above it".to_owned();
        return Err(BindError::OpenDirectory { directory, what });
    }
    let path = std::path::absolute(path).map_err(io_error)?;
    Ok(Bound { listener, path, socket })
}

/// Refuses a path that the system has no place for.
pub(super) fn check_length(path: &Path) -> Result<(), BindError> {
    let len = path.as_os_str().len();
    if len > MAX_LEN { Err(BindError::PathTooLong { path: path.to_owned(), len, max: MAX_LEN }) } else { Ok(()) }
}

/// The directory of the socket. The empty path would be a socket without a place, which everybody may connect to.
fn directory_of(path: &Path) -> io::Result<PathBuf> {
    let nameless = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
    path.file_name().ok_or_else(nameless)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Ok(parent.to_owned()),
        _ => Ok(PathBuf::from(".")),
    }
}

/// Makes the directory, unless it is there; and checks that nobody but `owner` may enter it.
fn protect(directory: &Path, owner: u32) -> Result<Metadata, BindError> {
    let io_error = |source| BindError::Io { address: directory.display().to_string(), source };
    match DirBuilder::new().mode(MODE).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // What is there may lie where nothing can be made.
        Err(_) if fs::symlink_metadata(directory).is_ok() => {}
        Err(error) => return Err(io_error(error)),
    }
    let found = fs::symlink_metadata(directory).map_err(io_error)?;
    match fault_of(&found, owner) {
        Some(what) => Err(BindError::OpenDirectory { directory: directory.to_owned(), what }),
        None => Ok(found),
    }
}

/// Why a directory does not protect what is in it, and how to mend that.
fn fault_of(directory: &Metadata, owner: u32) -> Option<String> {
    let kind = directory.file_type();
    if kind.is_symlink() {
        return Some("it is a symbolic link: name the directory that it leads to".to_owned());
    }
    if !kind.is_dir() {
        return Some("it is no directory: choose another path".to_owned());
    }
    fault_in(directory.uid(), directory.mode() & 0o777, owner)
}

fn fault_in(uid: u32, mode: u32, owner: u32) -> Option<String> {
    if uid != owner {
        return Some(format!(
            "it belongs to user {uid}, and this program is user {owner}: choose a directory of its own"
        ));
    }
    (mode != MODE)
        .then(|| format!("its mode is {mode:04o}: `chmod 700` it, or choose a directory for the socket alone"))
}

/// Removes a socket that nobody answers at.
fn make_room(path: &Path) -> Result<(), BindError> {
    let io_error = |source| BindError::Io { address: path.display().to_string(), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(error)),
    };
    if let Some(what) = other_than_socket(&found) {
        return Err(BindError::NotASocket { path: path.to_owned(), what });
    }
    match answers(path) {
        Ok(true) => Err(BindError::InUse { path: path.to_owned() }),
        Ok(false) => {
            let same = fs::symlink_metadata(path).is_ok_and(|now| FileId::of(&now) == FileId::of(&found));
            if same { fs::remove_file(path).map_err(io_error) } else { Err(BindError::InUse { path: path.to_owned() }) }
        }
        // It was removed by whoever it belonged to.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(error)),
    }
}

/// Whether somebody listens at the socket, who then sees a connection that ends before anything is said.
///
/// One who is about to listen refuses, too, and on some systems one whose queue is full. So it is asked more than once.
fn answers(path: &Path) -> io::Result<bool> {
    for _ in 1..TRIES {
        if answers_now(path)? {
            return Ok(true);
        }
        thread::sleep(PAUSE);
    }
    answers_now(path)
}

fn answers_now(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One whose queue is full must not be waited for.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is there, if it is no socket.
fn other_than_socket(found: &Metadata) -> Option<&'static str> {
    let kind = found.file_type();
    Some(match () {
        () if kind.is_socket() => return None,
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_dir() => "a directory",
        () if kind.is_file() => "a file",
        () if kind.is_fifo() => "a pipe",
        () => "a device",
    })
}

/// Keeps other programs from binding in this directory, until it is dropped. `None` where the file system has no locks.
fn lock(directory: &Path) -> io::Result<Option<File>> {
    let file = File::open(directory)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => {
                let what = "another program holds a lock on the socket's directory";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
            }
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "the socket's directory cannot be locked");
                return Ok(None);
            }
        }
    }
}

/// The only mode that a socket's directory may have.
const MODE: u32 = 0o700;
/// How long another program may take that binds in the same directory.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a socket has to refuse until nobody is there, and the time in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of a socket's path, but for the zero behind it.
const MAX_LEN: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };
