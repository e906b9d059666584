//! What can be wrong with a key or a certificate.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a key or a chain of certificates was not taken. Each says which file, or that it was a text in memory (`the PEM`).
///
/// No variant holds anything of a private key.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("cannot {what} {}: {error}", .file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// What was tried: `read`, `create`, …
        what: &'static str,
        /// The system's word.
        error: io::Error,
    },
    /// The path is a folder, or another thing that holds no text.
    #[error("{} is not a file", .file.display())]
    NotAFile {
        /// Which path.
        file: PathBuf,
    },
    /// Others than the owner can read or change the file.
    #[error("{} can be read by others (mode {mode:04o}): `chmod 600` it, or use `from_pem`", .file.display())]
    Permissions {
        /// Which file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is no PEM in it: no line that begins with `-----BEGIN`.
    #[error("{origin} holds no PEM: there is no `-----BEGIN` line")]
    NotPem {
        /// Which file, or `the PEM`.
        origin: String,
    },
    /// It begins and does not end: a file that was not written to its end, or a text whose line ends were lost.
    #[error(
        "{origin} is not whole: its `-----END {label}-----` is missing, or what stands before it is no base64 in \
         lines of its own"
    )]
    Torn {
        /// Which file, or `the PEM`.
        origin: String,
        /// What it began with.
        label: String,
    },
    /// It holds something else than what was asked for.
    #[error("{origin} holds {found}, and {wanted} is wanted")]
    Kind {
        /// Which file, or `the PEM`.
        origin: String,
        /// What is there, in words.
        found: String,
        /// What should be there, in words.
        wanted: &'static str,
    },
    /// The RSA key is too short or too long.
    #[error("{origin} has {bits} bits; RSA keys of 2048 to 4096 bits are taken")]
    Bits {
        /// Which file, or `the PEM`.
        origin: String,
        /// How long it is.
        bits: u32,
    },
    /// It has the right form, but its numbers are not those of a key.
    #[error("the key in {origin} is broken: its numbers do not belong together")]
    Broken {
        /// Which file, or `the PEM`.
        origin: String,
    },
    /// The certificate is not that of the key.
    #[error("the first certificate of {chain} does not belong to the key in {key}")]
    Mismatch {
        /// Where the certificates are.
        chain: String,
        /// Where the key is.
        key: String,
    },
    /// The sealing key is the identity's key, which may only sign.
    #[error("the sealing key is the identity's own key: make a second one, in a file of its own")]
    SameKey,
    /// The system gave no random numbers.
    #[error("no key could be made: the system gives no random numbers")]
    Random,
    /// The runtime ended meanwhile.
    #[error("no key: the runtime is shutting down")]
    Interrupted,
}

impl KeyError {
    pub(super) fn io(file: &Path, what: &'static str, error: io::Error) -> Self {
        Self::Io { file: file.to_owned(), what, error }
    }
}
