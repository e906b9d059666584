//! Why TLS did not come about, in words that say what to do.

use std::{fmt, io, path::PathBuf};

use pnet_protocol::{
    handshake::{FirstByte, first_byte},
    key::{Fingerprint, FingerprintError},
};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::identity::KeyError;

/// Why a client has no TLS with its server. Nothing of the application was sent.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The client's own settings contradict each other, or one is missing: the caller's fault.
    #[error("{what}")]
    Settings {
        /// What is wrong with them.
        what: &'static str,
    },
    /// What was given to `.pin` is no fingerprint: the caller's fault.
    #[error("a pin cannot be read: {0}")]
    Pin(FingerprintError),
    /// What was given to `.roots` cannot be used, or the system has no certificates.
    #[error("{0}")]
    Roots(#[from] KeyError),
    /// The system has no root certificates where they are looked for.
    #[error("no root certificates were found: install the package `ca-certificates`, or set `SSL_CERT_FILE`")]
    NoSystemRoots,
    /// The server has shown another key than one of those that are trusted: its key was replaced, or it is not the server.
    #[error("{0}")]
    Untrusted(Untrusted),
    /// The server's certificate is not good for it.
    #[error("{server}: {reason}")]
    Certificate {
        /// As it was dialled.
        server: String,
        /// What is wrong with it.
        reason: String,
        /// Whether it may be good at another time: it has expired, or is not valid yet.
        passing: bool,
    },
    /// The server's raw key is none that is taken.
    #[error("{server} has shown {shown}; RSA keys of 2048 to 4096 bits are taken as raw keys")]
    RawKey {
        /// As it was dialled.
        server: String,
        /// What it has shown, in words.
        shown: String,
    },
    /// The two sides know each other by different things: one wants a raw key and the other has certificates, or the other way
    /// round.
    #[error("nothing in common with {server}: {hint}")]
    NothingInCommon {
        /// As it was dialled.
        server: String,
        /// What to do.
        hint: &'static str,
    },
    /// The server does not take TLS 1.3: one made with pnet has no key or was told to take plain text only; others speak older
    /// versions.
    #[error(
        "{server} has TLS turned off: it has no key, or was told so; or it speaks older versions than TLS 1.3 only"
    )]
    Off {
        /// As it was dialled.
        server: String,
    },
    /// The server answered something else than TLS.
    #[error("{server} does not answer in TLS: {spoken}")]
    NotTls {
        /// As it was dialled.
        server: String,
        /// What it speaks instead, as far as that shows.
        spoken: &'static str,
    },
    /// The server speaks TLS, and not pnet inside.
    #[error("{server} speaks TLS, and not the protocol `pnet/1` inside")]
    NotPnet {
        /// As it was dialled.
        server: String,
    },
    /// The file of known hosts cannot be used.
    #[error("{}: {reason}", .file.display())]
    KnownHosts {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something came that is not what the server has sent, or the server has broken off.
    #[error("TLS with {server} failed: {reason}")]
    Failed {
        /// As it was dialled.
        server: String,
        /// Why.
        reason: String,
    },
    /// The transport broke, or ended, in the middle of the handshake.
    #[error("the connection to {server} broke during the TLS handshake: {error}")]
    Broken {
        /// As it was dialled.
        server: String,
        /// The transport's word.
        error: io::Error,
    },
}

/// A key that is not the expected one, and where the expected ones come from.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// As it was dialled.
    pub server: String,
    /// What the server has shown.
    pub shown: Fingerprint,
    /// What was expected: any of these.
    pub expected: Vec<Fingerprint>,
    /// Where it was stored, and in which line; `None` if the key was pinned, or seen before by this very client.
    pub stored: Option<(PathBuf, usize)>,
    pub(crate) pinned: bool,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, shown, expected, stored, pinned } = self;
        write!(f, "{server} has shown another key than the {} one: ", if *pinned { "pinned" } else { "stored" })?;
        f.write_str(if *pinned { "pinned is " } else { "stored is " })?;
        for (number, fingerprint) in expected.iter().enumerate() {
            write!(f, "{}{fingerprint}", if number > 0 { " or " } else { "" })?;
        }
        match stored {
            Some((file, line)) => write!(f, " ({} line {line})", file.display())?,
            None if !*pinned => f.write_str(" (when this client met it first)")?,
            None => {}
        }
        write!(f, ", shown is {shown}; nothing was sent. Its key was replaced, or somebody stands between: ")?;
        f.write_str("ask whoever runs it in another way, then pin the new key")?;
        if stored.is_some() { f.write_str(" or delete that line") } else { Ok(()) }
    }
}

impl TlsError {
    /// Whether another attempt may go better by itself. What anybody on the way can say, who has no key, ends nothing for good:
    /// a network that wants its users to log in first answers in plain text, too. A key or a certificate that is wrong does,
    /// and so does what is wrong here.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Broken { .. }
            | Self::Failed { .. }
            | Self::NothingInCommon { .. }
            | Self::NotPnet { .. }
            | Self::NotTls { .. }
            | Self::Off { .. } => true,
            Self::Certificate { passing, .. } => *passing,
            Self::KnownHosts { .. }
            | Self::NoSystemRoots
            | Self::Pin(_)
            | Self::RawKey { .. }
            | Self::Roots(_)
            | Self::Settings { .. }
            | Self::Untrusted(_) => false,
        }
    }

    /// What the client makes of an error of its handshake. `raw`: whether it trusts keys, and not certificates.
    pub(crate) fn from_handshake(server: &str, error: io::Error, raw: bool) -> Self {
        let server = server.to_owned();
        let Some(rustls) = rustls_error(&error) else {
            let ended = error.kind() == io::ErrorKind::UnexpectedEof;
            let error = if ended { io::Error::new(error.kind(), "the server has ended it") } else { error };
            return Self::Broken { server, error };
        };
        match rustls {
            Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::Off { server },
            Error::AlertReceived(AlertDescription::UnsupportedCertificate) => {
                Self::NothingInCommon { server, hint: if raw { ONLY_CERTIFICATES } else { ONLY_A_KEY } }
            }
            Error::PeerIncompatible(PeerIncompatible::IncorrectCertificateTypeExtension) => {
                Self::NothingInCommon { server, hint: if raw { ONLY_CERTIFICATES } else { NO_CLIENT_KEYS } }
            }
            Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => {
                Self::NotPnet { server }
            }
            Error::InvalidCertificate(error) => match Rejected::of(error) {
                Some(Rejected::Untrusted(untrusted)) => Self::Untrusted(untrusted.clone()),
                Some(Rejected::Unfit(shown)) => Self::RawKey { server, shown: shown.clone() },
                None => {
                    let (reason, passing) = certificate_words(error, raw);
                    Self::Certificate { server, reason, passing }
                }
            },
            error => Self::Failed { server, reason: words(error) },
        }
    }

    /// The server has answered, and not in TLS.
    pub(crate) fn not_tls(server: &str, first: u8) -> Self {
        let spoken = match first_byte(first) {
            FirstByte::Native | FirstByte::Json => "it speaks pnet in plain text",
            _ if first == b'H' => "it speaks HTTP",
            _ => "what it speaks is unknown",
        };
        Self::NotTls { server: server.to_owned(), spoken }
    }
}

/// Why a raw key was rejected, on its way through the library's errors.
#[derive(Debug)]
pub(crate) enum Rejected {
    Untrusted(Untrusted),
    /// No RSA key, or too short or too long: what it is.
    Unfit(String),
}

impl Rejected {
    pub(crate) fn into_rustls(self) -> Error {
        CertificateError::Other(rustls::OtherError(std::sync::Arc::new(self))).into()
    }

    fn of(error: &CertificateError) -> Option<&Self> {
        if let CertificateError::Other(other) = error { other.0.downcast_ref() } else { None }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(untrusted) => untrusted.fmt(f),
            Self::Unfit(shown) => write!(f, "{shown}; RSA keys of 2048 to 4096 bits are taken as raw keys"),
        }
    }
}

impl std::error::Error for Rejected {}

/// The library's error, if that is what an I/O error carries.
pub(crate) fn rustls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// An I/O error in the words of this crate.
pub(crate) fn told(error: io::Error) -> io::Error {
    if let Some(inner) = rustls_error(&error) {
        let words = words(inner);
        return io::Error::new(error.kind(), words);
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::new(error.kind(), "the TLS stream ended without close_notify");
    }
    error
}

/// What went wrong, for people. The library's own texts are for those who know the library.
pub(crate) fn words(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => match alert {
            AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied => {
                format!("the other side does not trust what it was shown ({alert:?})")
            }
            alert => format!("the other side has broken off ({alert:?})"),
        },
        Error::InvalidMessage(error) => format!("what came is not TLS ({error:?})"),
        Error::DecryptError => "what came was altered on its way".to_owned(),
        Error::NoApplicationProtocol => "the other side speaks another protocol than `pnet/1` inside TLS".to_owned(),
        Error::PeerIncompatible(error) => format!("the other side speaks another TLS ({error:?})"),
        Error::PeerMisbehaved(error) => format!("the other side breaks the rules of TLS ({error:?})"),
        Error::InvalidCertificate(error) => match Rejected::of(error) {
            Some(rejected) => rejected.to_string(),
            None => certificate_words(error, true).0,
        },
        error => error.to_string(),
    }
}

/// What is wrong with a certificate, or a raw key, and whether time may mend it.
fn certificate_words(error: &CertificateError, raw: bool) -> (String, bool) {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("the certificate has expired".to_owned(), true)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("the certificate is not valid yet".to_owned(), true)
        }
        CertificateError::UnknownIssuer => (
            "no root that is trusted has issued the certificate; a chain has to include those in between".to_owned(),
            false,
        ),
        CertificateError::NotValidForName => ("the certificate is for another name".to_owned(), false),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<_> = presented.iter().map(|name| pnet_protocol::text::escape(bare(name), 100)).collect();
            let name = expected.to_str();
            if presented.is_empty() {
                return (format!("the certificate is for no name (no subjectAltName), and not for {name}"), false);
            }
            (format!("the certificate is for another name: {}, and not {name}", presented.join(", ")), false)
        }
        CertificateError::BadSignature if raw => {
            ("the signature does not belong to the key that was shown".to_owned(), false)
        }
        // An authority that was made anew has its old name and another key.
        CertificateError::BadSignature => {
            ("a signature in the chain, or the server's own, is not by the key that it should be by".to_owned(), false)
        }
        // The library has no name of its own for what `openssl req -x509` makes unless it is told otherwise.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            "the server shows an authority's own certificate: have it issue one for the server, or make it with \
             `basicConstraints=CA:FALSE`"
                .to_owned(),
            false,
        ),
        CertificateError::Revoked => ("the certificate was revoked".to_owned(), false),
        error => (format!("the certificate was not accepted ({error:?})"), false),
    }
}

/// `localhost` of the library's `DnsName("localhost")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

const ONLY_CERTIFICATES: &str = "the server has certificates only: use `.roots` or `.system_roots`";
const NO_CLIENT_KEYS: &str = "the server takes no keys of clients: leave `.identity` out";
const ONLY_A_KEY: &str = "the server has a raw key only: use `.pin` or `.known_hosts`";
