//! The file of known hosts: which key each server has shown when this user met it first.
//!
//! A line is `HOST:PORT SHA256:…`; empty lines and lines that begin with `#` are comments. A server may have several lines,
//! any of which counts. Lines that cannot be read are kept, and warned of; one that begins with the server that is asked for
//! is an error, since it may have been its key.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use pnet_protocol::{key::Fingerprint, text::escape};

use crate::{
    error::{TlsError, Untrusted},
    identity::{replace, shared_mode},
};

/// One file.
#[derive(Clone, Debug)]
pub(super) struct KnownHosts {
    path: PathBuf,
}

/// A key that is stored for the server that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Fingerprint,
    /// Counted from 1.
    pub(super) line: usize,
}

impl KnownHosts {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys that are stored for a server; none if there is no file.
    pub(super) async fn look_up(&self, server: &str) -> Result<Vec<Entry>, TlsError> {
        self.off_thread(server, |this, server| {
            let text = this.read()?;
            this.entries(&text, server)
        })
        .await
    }

    /// Stores the key of a server that has none yet. If another client has stored one meanwhile, it has to be the same.
    pub(super) async fn remember(&self, server: &str, key: Fingerprint) -> Result<(), TlsError> {
        self.off_thread(server, move |this, server| this.store(server, key)).await
    }

    fn store(&self, server: &str, key: Fingerprint) -> Result<(), TlsError> {
        if self.entries(&self.read()?, server)?.iter().any(|entry| entry.key == key) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut text = self.read()?;
        let known = self.entries(&text, server)?;
        if let Some(Entry { line, .. }) = known.first() {
            if known.iter().any(|entry| entry.key == key) {
                return Ok(());
            }
            let expected = known.iter().map(|entry| entry.key).collect();
            let stored = Some((self.path.clone(), *line));
            let untrusted = Untrusted { server: server.to_owned(), shown: key, expected, stored, pinned: false };
            return Err(TlsError::Untrusted(untrusted));
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(format!("{} {key}\n", name(server)).as_bytes());
        replace(&self.behind_links(), &text)
            .map_err(|error| self.error(format!("the key cannot be stored: {error}")))?;
        let file = self.path.display();
        tracing::info!(%server, %key, %file, "first contact: the key is stored, compare it with what the server prints");
        Ok(())
    }

    /// All of it; nothing if there is no file.
    fn read(&self) -> Result<Vec<u8>, TlsError> {
        let cannot = |error: io::Error| self.error(format!("cannot be read: {error}"));
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot(error)),
        };
        if !metadata.is_file() {
            return Err(self.error("is not a file".to_owned()));
        }
        if metadata.len() > MAX_LEN {
            return Err(self.error(format!("has {} bytes, and {MAX_LEN} at most are read", metadata.len())));
        }
        if let Some(mode) = shared_mode(&metadata, 0o022) {
            return Err(self.error(format!("can be changed by others (mode {mode:04o}): `chmod 600` it")));
        }
        fs::read(&self.path).map_err(cannot)
    }

    /// The keys that are stored for a server.
    fn entries(&self, text: &[u8], server: &str) -> Result<Vec<Entry>, TlsError> {
        let server = name(server);
        let mut entries = Vec::new();
        // Some programs write a text like this that was ASCII before: each other byte is zero.
        if matches!(text, [0xff, 0xfe, _, 0, ..] | [0xfe, 0xff, 0, ..]) {
            return Err(self.error("is UTF-16, and has to be UTF-8: none of its lines can be read".to_owned()));
        }
        // Some editors mark a text as UTF-8 like this, and the first line counts all the same.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let (line, number) = (String::from_utf8_lossy(line), number + 1);
            let mut words = line.split_whitespace();
            let Some(host) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let key = words.next().and_then(|word| word.parse().ok()).filter(|_| words.next().is_none());
            let ours = host.eq_ignore_ascii_case(&server);
            // Written as for SSH, it would be found for no server, and whoever answers would be trusted.
            if key.is_some() && server.rsplit_once(':').is_some_and(|(name, _)| host.eq_ignore_ascii_case(name)) {
                return Err(self.error(format!("line {number} names {host} without a port: it has to be {server}")));
            }
            match key {
                Some(key) if ours => entries.push(Entry { key, line: number }),
                Some(_) => {}
                None if ours => {
                    let shown = escape(&line, SHOWN_LEN);
                    return Err(self.error(format!("line {number} is for {server}, and cannot be read: `{shown}`")));
                }
                None => {
                    // Not the line itself: the file may be another one than was meant, and hold a key.
                    let file = self.path.display();
                    tracing::warn!(%file, line = number, "a known host cannot be read, its line is left out");
                }
            }
        }
        Ok(entries)
    }

    /// Keeps others from changing the file until this is dropped. What is locked is a file beside it, as the file itself is
    /// replaced.
    fn lock(&self) -> Result<File, TlsError> {
        let mut beside = self.behind_links().into_os_string();
        beside.push(".lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let cannot = |error: io::Error| self.error(format!("the key cannot be stored: {error}"));
        let file = options.open(beside).map_err(cannot)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if began.elapsed() < PATIENCE => sleep(LOOK_AGAIN),
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(self.error(format!("another program has kept it locked for {PATIENCE:?}")));
                }
                Err(fs::TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
    }

    /// The file itself, where its name is a link: the link stays, and whoever calls the file otherwise has the same lock. It
    /// may not be there yet.
    fn behind_links(&self) -> PathBuf {
        let mut path = self.path.clone();
        for _ in 0..MAX_LINKS {
            let Ok(target) = fs::read_link(&path) else { break };
            path = path.parent().unwrap_or_else(|| Path::new("")).join(target);
        }
        fs::canonicalize(&path).unwrap_or(path)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        server: &str,
        work: impl FnOnce(&Self, &str) -> Result<T, TlsError> + Send + 'static,
    ) -> Result<T, TlsError> {
        let (this, server) = (self.clone(), server.to_owned());
        let done = tokio::task::spawn_blocking(move || work(&this, &server)).await;
        done.unwrap_or_else(|_| Err(self.error("the runtime is shutting down".to_owned())))
    }

    fn error(&self, reason: String) -> TlsError {
        TlsError::KnownHosts { file: self.path.clone(), reason }
    }
}

/// A server as it stands in the file: in one word, and in lower case, as names of hosts are compared.
fn name(server: &str) -> String {
    if server.is_empty() {
        return NAMELESS.to_owned();
    }
    let mut name = String::new();
    for char in server.chars() {
        // The byte order mark, too: in front of the first line it is none of the name.
        if char.is_whitespace() || char.is_control() || matches!(char, '%' | '#' | '\u{feff}') {
            let mut bytes = [0; 4];
            char.encode_utf8(&mut bytes).bytes().for_each(|byte| name.push_str(&format!("%{byte:02x}")));
        } else {
            name.push(char.to_ascii_lowercase());
        }
    }
    name
}

/// How a server without a name is called; no name is written like this.
const NAMELESS: &str = "%";
/// A file of known hosts that is longer is none.
const MAX_LEN: u64 = 16 * 1024 * 1024;
const SHOWN_LEN: usize = 100;
/// As many as systems follow.
const MAX_LINKS: usize = 40;
/// Less than a handshake may take, so that it is said what was waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
