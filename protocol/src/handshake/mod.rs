//! How a native connection begins: who is there, whether both were built from the same protocol, and what each side
//! takes from the other.
//!
//! [`ClientHandshake`] and [`ServerHandshake`] take bytes in any pieces and append what is to be sent; the caller owns
//! the socket and the deadline. Whatever they return, what stands in `out` is to be sent, also before a close: they
//! write the CLOSE frame for their own errors, and nothing at all to a side that does not speak the native dialect.
//!
//! ```text
//! client                                server
//! preface HELLO(fingerprint)  ───────►
//!                             ◄───────  preface WELCOME              same fingerprint: open
//!                             ◄───────  preface DIFFER(fingerprint)  another one:
//! OFFER(action, hash, ..)     ───────►
//!                             ◄───────  SHAPES(what differs, as the server has it)
//! SHAPES(as the client has it) ──────►
//!                             ◄───────  CLOSE(protocol-mismatch)     both hold a report
//! ```
//!
//! [`first_byte`] and [`HandshakeError`] are for both dialects. Byte tables: `docs/wire.md` §5 and §6.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use std::fmt;

use crate::close::{CloseCode, CloseReason, Retry};
use crate::fault::{FrameError, JsonFault};
use crate::frame::PREFACE;
pub use crate::info::ShapePolicy;

mod client;
mod exchange;
mod hello;
mod report;
mod server;
mod tlv;

pub use self::client::{ClientHandshake, Welcomed};
pub use self::report::{Difference, MismatchReport, Shown};
pub use self::server::{ClientHello, ServerHandshake, ServerStep};

/// The lowest wire version this crate speaks.
pub const MIN_VERSION: u16 = 1;

/// The highest wire version this crate speaks.
pub const MAX_VERSION: u16 = 1;

/// What the first byte of a connection says about what follows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FirstByte {
    /// The native dialect: the first byte of [`PREFACE`].
    Native,
    /// A JSON object, or the whitespace before one.
    Json,
    /// A TLS record with a client's hello.
    Tls,
    /// An HTTP request that begins with `G`, such as a WebSocket upgrade.
    Http,
    /// Nothing that is spoken here.
    Unknown,
}

/// The dialect that begins with `byte` (`docs/wire.md` §2).
pub const fn first_byte(byte: u8) -> FirstByte {
    match byte {
        0xF5 => FirstByte::Native,
        b'{' | b' ' | b'\t' | b'\n' | b'\r' => FirstByte::Json,
        0x16 => FirstByte::Tls,
        b'G' => FirstByte::Http,
        _ => FirstByte::Unknown,
    }
}

/// Why no connection came about.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The other side began with `{` or whitespace: it speaks the JSON dialect. A wrong address or setting, on either
    /// side.
    #[error("the other side speaks JSON, not the native dialect")]
    SpeaksJson,
    /// The other side began with the preface of the native dialect, and this side speaks JSON.
    #[error("the other side speaks the native dialect, not JSON")]
    SpeaksNative,
    /// The other side began with a TLS record.
    #[error("the other side speaks TLS, and this side does not")]
    SpeaksTls,
    /// The other side began like an HTTP request.
    #[error("the other side speaks HTTP")]
    SpeaksHttp,
    /// The other side began with something else; it is hardly pnet.
    #[error("the other side does not speak pnet: it began with {first}")]
    NotPnet {
        /// What it began with, as far as it was there.
        first: FirstBytes,
    },
    /// The other side sent bytes that are no frame; its fault.
    #[error("the handshake could not be read")]
    Frame(#[from] FrameError),
    /// The other side sent bytes that are no object; its fault.
    #[error("the handshake could not be read")]
    Json(#[from] JsonFault),
    /// The client gave a token before it was given one: it is another connection's.
    #[error("a token that is not this connection's")]
    WrongToken,
    /// The other side sent a handshake frame that cannot be read; its fault.
    #[error("malformed {frame} frame: {what}")]
    Malformed {
        /// The kind's name.
        frame: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The other side sent a frame that is not due; its fault.
    #[error("{frame} frame in the handshake, where {expected} is due")]
    Unexpected {
        /// The kind's name.
        frame: &'static str,
        /// The kinds that may come here.
        expected: &'static str,
    },
    /// The two sides have no wire version in common; one of them is too old.
    #[error("no wire version in common: here {} to {}, there {} to {}", .here.0, .here.1, .there.0, .there.1)]
    Version {
        /// Lowest and highest version of this side.
        here: (u16, u16),
        /// Lowest and highest version of the other side.
        there: (u16, u16),
    },
    /// The two sides speak different protocols; a wrong address, most likely.
    #[error("the protocol is `{here}` here and `{there}` there")]
    ProtocolName {
        /// This side's protocol.
        here: String,
        /// The other side's protocol, escaped.
        there: String,
    },
    /// The two sides were built from different versions of the protocol; one of them has to be rebuilt.
    #[error("{0}")]
    Mismatch(Box<MismatchReport>),
    /// The other side closed the connection instead of opening it.
    #[error("the other side closed the connection: {code}{}", with_colon(.reason))]
    Closed {
        /// Why.
        code: CloseCode,
        /// Whether to come back.
        retry: Retry,
        /// For people; escaped.
        reason: String,
    },
    /// The connection ended before the handshake did. The transport's fault, or the other side's.
    #[error("the connection ended in the middle of the handshake")]
    Ended,
    /// The handshake was not finished in time.
    #[error("the handshake was not finished in time")]
    TimedOut,
}

impl CloseReason for HandshakeError {
    fn close_code(&self) -> CloseCode {
        match self {
            Self::Frame(error) => error.close_code(),
            Self::Json(fault) => fault.close_code(),
            Self::Version { .. } => CloseCode::VersionUnsupported,
            Self::ProtocolName { .. } | Self::Mismatch(_) => CloseCode::ProtocolMismatch,
            Self::Closed { code, .. } => *code,
            Self::WrongToken => CloseCode::Unauthorized,
            Self::TimedOut => CloseCode::HandshakeTimeout,
            _ => CloseCode::ProtocolError,
        }
    }

    fn close_reason(&self) -> String {
        match self {
            Self::Frame(error) => error.close_reason(),
            Self::Json(fault) => fault.close_reason(),
            Self::Mismatch(report) => report.summary(),
            Self::Closed { reason, .. } => reason.clone(),
            _ => self.to_string(),
        }
    }
}

/// The first few bytes of a connection, shown harmlessly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FirstBytes {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl FirstBytes {
    const MAX: usize = 8;

    /// The bytes, at most eight.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn of(input: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX];
        for (to, from) in bytes.iter_mut().zip(input) {
            *to = *from;
        }
        Self { bytes, len: input.len().min(Self::MAX) }
    }
}

/// As a byte string: `b"SSH-2.0-"`.
impl fmt::Display for FirstBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.as_bytes().escape_ascii())
    }
}

fn with_colon(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Takes the preface off the front: how many bytes it took, or `None` if it is not whole yet.
///
/// The first wrong byte is an error at once, however much is there.
fn take_preface(input: &[u8]) -> Result<Option<usize>, HandshakeError> {
    let Some(&first) = input.first() else {
        return Ok(None);
    };
    match first_byte(first) {
        FirstByte::Native => {}
        FirstByte::Json => return Err(HandshakeError::SpeaksJson),
        FirstByte::Tls => return Err(HandshakeError::SpeaksTls),
        FirstByte::Http => return Err(HandshakeError::SpeaksHttp),
        FirstByte::Unknown => return Err(HandshakeError::NotPnet { first: FirstBytes::of(input) }),
    }
    if input.iter().zip(&PREFACE).any(|(got, wanted)| got != wanted) {
        return Err(HandshakeError::NotPnet { first: FirstBytes::of(input) });
    }
    Ok((input.len() >= PREFACE.len()).then_some(PREFACE.len()))
}

#[cfg(test)]
mod tests;
