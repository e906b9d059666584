//! The two ways in which a connection's bytes may be written.

use std::fmt;

use crate::packet::Codec;

/// How packets look on one connection. The client chooses, by the first byte it sends.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Dialect {
    /// Binary frames: what two programs that were built with pnet speak.
    #[default]
    Native,
    /// One JSON object a packet: readable, and spoken by any language, by hand, and by the Python library.
    Json,
}

impl Dialect {
    /// The codec that replaces the packets' own: none in native frames, JSON in JSON.
    #[must_use]
    pub const fn codec_override(self) -> Option<Codec> {
        match self {
            Self::Native => None,
            Self::Json => Some(Codec::Json),
        }
    }
}

/// `native` or `json`.
impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Json => "json",
        })
    }
}
