//! Packets: typed values with an action name, and how they become payload bytes and come back.
//!
//! [`Packet`] is implemented by `#[derive(Packet)]` alone. Its methods are not generic, so the code that encodes and
//! decodes a packet is compiled once, in the crate that declares it; the [`schema`](mod@crate::schema) beside it decides
//! which [`Codec`] carries it in native frames.

use std::{error::Error, fmt};

use crate::schema::{self, Schema};

pub(crate) mod codec;
mod finite;
pub(crate) mod postcard;
mod said;

/// How the payload of a packet is written.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Codec {
    /// [postcard](https://docs.rs/postcard): compact, and only for types whose schema says all about them.
    Postcard,
    /// JSON text: for everything serde can write, and for every packet in the JSON dialect.
    Json,
}

/// What becomes of a one-way packet if the queue of its connection is full: `#[packet(when_full = "…")]`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum WhenFull {
    /// `"wait"`: `send` waits for room, `try_send` gives the packet back, a broadcast drops it.
    #[default]
    Wait,
    /// `"drop_new"`: this packet is not sent, and nobody waits; for what is soon out of date.
    DropNew,
    /// `"disconnect"`: the connection is closed as `slow-consumer`; for what must not be missed.
    Disconnect,
}

/// A typed value that goes over the wire under an action name.
///
/// Implemented by `#[derive(Packet)]` only, beside serde's own derives:
///
/// ```text
/// #[derive(Packet, Serialize, Deserialize)]
/// pub struct Login { pub user: String, pub password: String }   // action "LOGIN"
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a packet",
    label = "not a packet",
    note = "put `#[derive(Packet, Serialize, Deserialize)]` on the type",
    note = "a view, with `#[packet(view_of = …)]`, is only for handlers to answer with: name the packet it shows"
)]
pub trait Packet: Schema {
    /// The name that routes the packet to its handler: 1 to 64 bytes, without control characters.
    const ACTION: &'static str;

    /// The name of the type, without its path and parameters.
    const TYPE: &'static str;

    /// How the payload is written in native frames. The JSON dialect always uses [`Codec::Json`].
    const CODEC: Codec = schema::codec(Self::SCHEMA);

    /// What becomes of the packet if the connection's queue is full. The sender's own affair: not in the fingerprint.
    const WHEN_FULL: WhenFull = WhenFull::Wait;

    /// The same packet, borrowing from a receive buffer; the packet itself if it has no lifetime.
    type At<'de>: Send;

    /// Appends the payload to `out`. Debug builds decode what was written.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if serde refused the value, if `codec` cannot carry it, or (in debug builds) if what was written
    /// does not decode. `out` is then as it was before.
    fn encode(&self, codec: Codec, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads a packet from its payload, all of which must be used up.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the payload is no such packet, or goes on after it.
    fn decode(codec: Codec, payload: &[u8]) -> Result<Self::At<'_>, DecodeError>;
}

/// A packet without a lifetime, which may outlive the buffer it was read from: what a reply has to be.
///
/// `#[derive(Packet)]` implements it for types without a lifetime parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a packet that owns what it holds",
    label = "here has to stand a packet without a lifetime",
    note = "put `#[derive(Packet, Serialize, Deserialize)]` on the type; packets with a lifetime and views are none: use `String` instead of `Cow<str>`"
)]
pub trait OwnedPacket: for<'de> Packet<At<'de> = Self> + Send + 'static {
    /// As [`Packet::decode`], which gives the type itself.
    ///
    /// # Errors
    ///
    /// As [`Packet::decode`].
    #[inline]
    fn decode_owned(codec: Codec, payload: &[u8]) -> Result<Self, DecodeError>
    where
        Self: Sized,
    {
        Self::decode(codec, payload)
    }
}

/// A type that serde can write and read: the part of a packet that `#[derive(Packet)]` cannot add by itself.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "packet `{Self}` cannot be written or read, because serde does not know the type",
    label = "not both `Serialize` and `Deserialize`",
    note = "put both on the type: `#[derive(Packet, Serialize, Deserialize)]`, with `use serde::{{Deserialize, Serialize}};`"
)]
pub trait Serde {}

#[diagnostic::do_not_recommend]
impl<T: Packet + serde::Serialize> Serde for T where for<'de> T::At<'de>: serde::Deserialize<'de> {}

/// Asks, while compiling, whether serde can write and read packet `T`.
#[doc(hidden)]
pub const fn is_serde<T: Serde>() {}

/// Why a packet could not be written. The fault is the caller's: the value, or the type's serde implementation.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// serde or the codec refused the value.
    #[error("packet `{action}` cannot be written")]
    Refused {
        /// Action of the packet.
        action: &'static str,
        /// What serde said.
        #[source]
        source: PayloadError,
    },
    /// JSON has no way to write NaN or an infinity.
    #[error("packet `{action}` holds a number that is not finite, which JSON cannot carry")]
    NotFinite {
        /// Action of the packet.
        action: &'static str,
    },
    /// The bytes written do not decode: the type's `Serialize` and `Deserialize` do not fit each other. Noticed in
    /// debug builds only.
    #[error("packet `{action}` was written but does not decode again")]
    DoesNotDecode {
        /// Action of the packet.
        action: &'static str,
        /// Why not.
        #[source]
        source: Box<DecodeError>,
    },
}

impl EncodeError {
    /// The action of the packet that could not be written.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Refused { action, .. } | Self::NotFinite { action } | Self::DoesNotDecode { action, .. } => action,
        }
    }
}

/// Why a payload could not become a packet. The fault is the sender's; later frames are unaffected.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The payload is not what the packet's type reads.
    #[error("malformed payload for action `{action}`")]
    Malformed {
        /// Action of the packet.
        action: &'static str,
        /// What serde said.
        #[source]
        source: PayloadError,
    },
    /// The payload goes on after the packet's end.
    #[error("{extra} bytes too many in the payload for action `{action}`")]
    TrailingBytes {
        /// Action of the packet.
        action: &'static str,
        /// How many bytes were left.
        extra: usize,
    },
    /// No packet of that direction has this number.
    #[error("no action has the number {id}")]
    UnknownAction {
        /// The number in the frame.
        id: u16,
    },
    /// A payload came where the protocol declares none.
    #[error("a payload of {len} bytes where none was declared")]
    Unexpected {
        /// Its length.
        len: usize,
    },
}

impl DecodeError {
    /// The action of the packet that could not be read, if it is known.
    #[must_use]
    pub const fn action(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { action, .. } | Self::TrailingBytes { action, .. } => Some(action),
            Self::UnknownAction { .. } | Self::Unexpected { .. } => None,
        }
    }
}

/// What serde, the codec under it, or the type itself said about a payload.
///
/// Where serde would quote the value that it found, this names its kind only: `invalid type: string, expected u32`. So it may
/// go to a log. A type's own words, of `#[serde(try_from)]` for one, stand here as they are.
#[derive(Debug)]
pub struct PayloadError(Box<Said>);

#[derive(Debug)]
struct Said(String);

impl From<serde_json::Error> for PayloadError {
    #[cold]
    fn from(error: serde_json::Error) -> Self {
        Self(Box::new(Said(said::without_values(&error.to_string()))))
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0)
    }
}

impl Error for PayloadError {}
