//! The lines of earlier sessions, in a file that only its owner can read. What may be in it is for the caller to say: nothing
//! is written that was not allowed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// A file of lines.
#[derive(Debug)]
pub(crate) struct History {
    file: Option<File>,
    last: String,
    lines: Vec<String>,
}

impl History {
    /// Keeps nothing.
    pub(crate) const fn none() -> Self {
        Self { file: None, last: String::new(), lines: Vec::new() }
    }

    /// The file of this name in the user's folder for such things, or where `PNET_HISTORY` says; empty, that turns it off. A
    /// file that cannot be had is none: a person can work without, and is told why.
    pub(crate) fn open(name: &str) -> (Self, Option<String>) {
        let Some(path) = path(name) else { return (Self::none(), None) };
        match Self::at(&path) {
            Ok(history) => (history, None),
            Err(error) => (Self::none(), Some(format!("no history: {}: {error}", path.display()))),
        }
    }

    fn at(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // A link is not followed, since it might lead to a file of somebody else.
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32)
            .open(path)?;
        let about = file.metadata()?;
        if !about.is_file() || about.uid() != rustix::process::geteuid().as_raw() || about.nlink() != 1 {
            return Err(io::Error::other("it is no file of this user alone"));
        }
        let mut head = [0; HEAD.len()];
        match file.read(&mut head)? {
            0 => file.write_all(HEAD.as_bytes())?,
            read if head[..read] == *HEAD.as_bytes() => {}
            _ => return Err(io::Error::other("it is a file of something else, and stays as it is")),
        }
        if about.mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        let mut lines = last_lines(&mut file, about.len())?;
        if about.len() > MAX_LEN {
            file.set_len(0)?;
            lines.drain(..lines.len().saturating_sub(KEPT));
            file.write_all(lines.iter().fold(HEAD.to_owned(), |all, line| all + line + "\n").as_bytes())?;
        }
        Ok(Self { file: Some(file), last: lines.last().cloned().unwrap_or_default(), lines })
    }

    /// The lines of earlier sessions, oldest first.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Keeps a line. One that was kept just before is not kept again.
    pub(crate) fn keep(&mut self, line: &str) {
        if line == self.last || line.contains(char::is_control) || line.len() > MAX_LINE {
            return;
        }
        if let Some(file) = &mut self.file {
            // A history that cannot be written is no reason to stop working.
            let _ = file.write_all(format!("{line}\n").as_bytes());
            line.clone_into(&mut self.last);
        }
    }
}

/// The lines at the end of a file, without those that are no text.
fn last_lines(file: &mut File, len: u64) -> io::Result<Vec<String>> {
    let from = len.saturating_sub(MAX_LEN);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MAX_LEN).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first may be half of one.
    let lines = text.lines().skip(usize::from(from > 0));
    let is_kept = |line: &&str| !line.is_empty() && *line != HEAD.trim_end() && !line.contains(char::is_control);
    Ok(lines.filter(is_kept).map(str::to_owned).collect())
}

fn path(name: &str) -> Option<PathBuf> {
    let set = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(chosen) = std::env::var_os("PNET_HISTORY") {
        return (!chosen.is_empty()).then(|| PathBuf::from(chosen));
    }
    let folder = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    folder.is_absolute().then(|| folder.join("pnet").join(name))
}

/// The first line, by which a file is known to be one of these.
const HEAD: &str = "# history of pnet\n";

/// From this length on a file is shortened.
const MAX_LEN: u64 = 256 * 1024;

/// So many lines are left then.
const KEPT: usize = 500;

const MAX_LINE: usize = 200;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder that is gone with this.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("pnet-history-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).expect("a folder for temporary files");
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_its_owner_reads_it() {
        let folder = Folder::new("mode");
        let path = folder.0.join("deeper").join("history");
        let mut history = History::at(&path).expect("a new history");
        history.keep("call ADD");
        history.keep("call ADD");
        history.keep("two\nlines");
        history.keep("list");
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.0.join("deeper")).expect("it is there").mode() & 0o777, 0o700);
        drop(history);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
        let mut again = History::at(&path).expect("it is there");
        assert_eq!(again.take(), ["call ADD", "list"]);
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);
    }

    #[test]
    fn links_are_not_followed() {
        let folder = Folder::new("link");
        let (target, link) = (folder.0.join("target"), folder.0.join("history"));
        fs::write(&target, "precious\n").expect("it can be written");
        symlink(&target, &link).expect("a link");
        assert!(History::at(&link).is_err());
        fs::hard_link(&target, folder.0.join("other")).expect("a link");
        assert!(History::at(&target).is_err());
        assert_eq!(fs::read_to_string(&target).expect("it is there"), "precious\n");
    }

    #[test]
    fn files_of_others_stay_as_they_are() {
        let folder = Folder::new("other");
        let path = folder.0.join("passwords");
        fs::write(&path, "root:x:0:0\n").expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
        assert!(History::at(&path).is_err());
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "root:x:0:0\n");
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o644);
    }

    #[test]
    fn a_long_file_is_shortened() {
        let folder = Folder::new("long");
        let path = folder.0.join("history");
        fs::write(&path, HEAD.to_owned() + &"info 81c0\n".repeat(40_000)).expect("it can be written");
        let mut history = History::at(&path).expect("it is ours");
        assert_eq!(history.take().len(), KEPT);
        assert!(fs::metadata(&path).expect("it is there").len() < 10_000);
    }
}
