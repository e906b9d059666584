//! Files that hold secrets, or what must not be changed by others.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use pnet_protocol::id::ConnectionId;
use zeroize::Zeroizing;

use super::KeyError;

/// What is in a file that only its owner may read; `None` if there is none.
pub(super) fn read_secret(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    let mut file = match open(path) {
        Err(KeyError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // Of the file that is open, not of whatever has this name a moment later.
    let metadata = file.metadata().map_err(|error| KeyError::io(path, "read", error))?;
    if let Some(mode) = shared_mode(&metadata, 0o077) {
        return Err(KeyError::Permissions { file: path.to_owned(), mode });
    }
    read_all(&mut file, path).map(Some)
}

/// What is in a file, whoever else may read it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    read_all(&mut open(path)?, path)
}

/// Opens a file, and nothing else: a pipe would be waited for until somebody writes into it.
fn open(path: &Path) -> Result<File, KeyError> {
    let cannot = |error| KeyError::io(path, "read", error);
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(KeyError::NotAFile { file: path.to_owned() });
    }
    File::open(path).map_err(cannot)
}

fn read_all(file: &mut File, path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // With room from the start, so that no half of a secret is left where a buffer was too short.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    let read = file.take(MAX_LEN as u64).read_to_end(&mut text);
    read.map_err(|error| KeyError::io(path, "read", error))?;
    Ok(text)
}

/// Puts a new file in its place, whole and readable by its owner only. If there is one already, it stays.
pub(super) fn create(path: &Path, text: &[u8]) -> Result<(), KeyError> {
    let io_error = |error| KeyError::io(path, "create", error);
    let beside = beside(path);
    let written = write_new(&beside, text).map_err(io_error);
    let placed = written.and_then(|()| match fs::hard_link(&beside, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no such links: there the file is seen while it is written.
        Err(error) => {
            tracing::debug!(%error, file = %path.display(), "no hard links here: the key is written in its place");
            match write_new(path, text) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io_error(error)),
                _ => Ok(()),
            }
        }
    });
    let _ = fs::remove_file(&beside);
    sync_folder(path);
    placed
}

/// Replaces what is in a file in one step, or makes it; only its owner may read the new one.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let replaced = write_new(&beside, text).and_then(|()| fs::rename(&beside, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&beside);
    }
    sync_folder(path);
    replaced
}

/// The permissions of a file if they have any of these bits.
#[cfg(unix)]
pub(crate) fn shared_mode(metadata: &fs::Metadata, bits: u32) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o7777;
    (mode & bits != 0).then_some(mode)
}

/// Other systems have no such bits.
#[cfg(not(unix))]
pub(crate) fn shared_mode(_: &fs::Metadata, _: u32) -> Option<u32> {
    None
}

/// A name in the same folder that nobody else uses.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", ConnectionId::random()))
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text).and_then(|()| file.sync_all()).inspect_err(|_| drop(fs::remove_file(path)))
}

/// A new name is on disk only when its folder is. Where a folder cannot be synced, the system has its own ways.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Longer files hold something else than keys.
const MAX_LEN: usize = 256 * 1024;
