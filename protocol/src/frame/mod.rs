//! Frames of the native dialect: what they are, and bytes to frames and back.
//!
//! ```text
//! +----------------+------+--------------------+
//! | length: u32 LE | kind | fields of the kind |     length counts the kind and the fields
//! +----------------+------+--------------------+
//! ```
//!
//! [`decode`] reads one frame from the front of a buffer and borrows from it. [`Frame::encode`] writes one; the
//! `put_*` functions do the same without building a [`Frame`] first, and [`begin_packet`], [`begin_call`] and
//! [`begin_reply`] let a payload be encoded straight into the out-buffer. Byte tables: `docs/wire.md` §4.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use crate::close::Close;
pub use crate::fault::FrameError;

mod debug;
pub(crate) mod read;
mod write;

pub use self::read::{decode, needed};
pub(crate) use self::write::put_body;
pub use self::write::{
    Mark, begin_call, begin_packet, begin_reply, put_call, put_cancel, put_close, put_credit, put_end, put_error,
    put_failure, put_item, put_packet, put_ping, put_pong, put_reply, put_time,
};

/// What a native client sends first, and a native server before its first frame: `0xF5 'p' 'n' 't'`.
///
/// 0xF5 occurs in no UTF-8 text and begins no TLS record, so the first byte alone tells the dialects apart
/// (`docs/wire.md` §2).
pub const PREFACE: [u8; 4] = [0xF5, b'p', b'n', b't'];

/// Bytes of a PACKET frame that its length field counts and that are not payload.
pub const PACKET_OVERHEAD: usize = 3;

/// Bytes of a CALL frame that its length field counts and that are not payload: the most of all kinds.
pub const CALL_OVERHEAD: usize = 11;

/// Bytes of a REPLY, ERROR or ITEM frame that its length field counts and that are not payload.
pub const REPLY_OVERHEAD: usize = 5;

/// One frame, borrowing from the bytes it was read from.
#[derive(Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// Who the client is and what it speaks: tagged fields (`docs/wire.md` §5.2).
    Hello(&'a [u8]),
    /// The connection is open: tagged fields (§5.3).
    Welcome(&'a [u8]),
    /// The fingerprints differ: tagged fields (§6.1).
    Differ(&'a [u8]),
    /// The client's actions with their hashes: tagged fields (§6.2).
    Offer(&'a [u8]),
    /// The sender's form of actions that differ: tagged fields (§6.3).
    Shapes(&'a [u8]),
    /// When what follows in the same write batch was written. Information only.
    Time {
        /// Microseconds since the Unix epoch.
        micros: i64,
    },
    /// A one-way packet.
    Packet {
        /// Its action: the rank among the sorted actions of its direction.
        action: u16,
        /// The packet, in the codec of its action.
        payload: &'a [u8],
    },
    /// A packet that wants one answer, or a stream of them.
    Call {
        /// Chosen by the caller; not 0, and not that of another call it has open.
        id: u32,
        /// Its action: the rank among the sorted actions of its direction.
        action: u16,
        /// How long the caller waits, in milliseconds; 0 if without limit.
        timeout_ms: u32,
        /// The packet, in the codec of its action.
        payload: &'a [u8],
    },
    /// The packet that answers a call; empty for a mere acknowledgement.
    Reply {
        /// The call's id.
        id: u32,
        /// The reply packet, in its own codec.
        payload: &'a [u8],
    },
    /// The declared error packet that answers a call.
    Error {
        /// The call's id.
        id: u32,
        /// The error packet, in its own codec.
        payload: &'a [u8],
    },
    /// The call could not be answered as declared.
    Failure {
        /// The call's id.
        id: u32,
        /// For programs: 1 to 64 bytes (`docs/wire.md` §10).
        code: &'a str,
        /// For people: at most 1 KiB, of unknown origin.
        message: &'a str,
    },
    /// One packet of a stream.
    Item {
        /// The id of the call that opened the stream.
        id: u32,
        /// The item packet, in its own codec.
        payload: &'a [u8],
    },
    /// The stream is over.
    End {
        /// The id of the call that opened the stream.
        id: u32,
        /// How it ended.
        end: StreamEnd<'a>,
    },
    /// The caller does not want the answer any more.
    Cancel {
        /// The call's id.
        id: u32,
    },
    /// The other side may send this much more.
    Credit {
        /// 0 for the one-way packets of the connection, else the stream it is for.
        id: u32,
        /// How many more packets or items.
        packets: u32,
        /// How many more bytes, as length fields count them.
        bytes: u32,
    },
    /// Asks for a sign of life.
    Ping {
        /// Comes back in the pong.
        nonce: u64,
    },
    /// The sign of life.
    Pong {
        /// The ping's.
        nonce: u64,
    },
    /// The last frame of this side.
    Close(Close<'a>),
}

impl Frame<'_> {
    /// Appends the frame to `out`.
    ///
    /// Texts above their limits are cut, see [`put_failure`] and [`put_close`].
    ///
    /// # Panics
    ///
    /// If the frame would be longer than its length field can say (4 GiB).
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Hello(body) => put_body(out, Kind::Hello, body),
            Self::Welcome(body) => put_body(out, Kind::Welcome, body),
            Self::Differ(body) => put_body(out, Kind::Differ, body),
            Self::Offer(body) => put_body(out, Kind::Offer, body),
            Self::Shapes(body) => put_body(out, Kind::Shapes, body),
            Self::Time { micros } => put_time(out, micros),
            Self::Packet { action, payload } => put_packet(out, action, payload),
            Self::Call { id, action, timeout_ms, payload } => put_call(out, id, action, timeout_ms, payload),
            Self::Reply { id, payload } => put_reply(out, id, payload),
            Self::Error { id, payload } => put_error(out, id, payload),
            Self::Failure { id, code, message } => put_failure(out, id, code, message),
            Self::Item { id, payload } => put_item(out, id, payload),
            Self::End { id, end } => put_end(out, id, end),
            Self::Cancel { id } => put_cancel(out, id),
            Self::Credit { id, packets, bytes } => put_credit(out, id, packets, bytes),
            Self::Ping { nonce } => put_ping(out, nonce),
            Self::Pong { nonce } => put_pong(out, nonce),
            Self::Close(close) => put_close(out, close),
        }
    }

    /// The kind's name as `docs/wire.md` writes it: `CALL`.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Welcome(_) => Kind::Welcome,
            Self::Differ(_) => Kind::Differ,
            Self::Offer(_) => Kind::Offer,
            Self::Shapes(_) => Kind::Shapes,
            Self::Time { .. } => Kind::Time,
            Self::Packet { .. } => Kind::Packet,
            Self::Call { .. } => Kind::Call,
            Self::Reply { .. } => Kind::Reply,
            Self::Error { .. } => Kind::Error,
            Self::Failure { .. } => Kind::Failure,
            Self::Item { .. } => Kind::Item,
            Self::End { .. } => Kind::End,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Credit { .. } => Kind::Credit,
            Self::Ping { .. } => Kind::Ping,
            Self::Pong { .. } => Kind::Pong,
            Self::Close(_) => Kind::Close,
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub enum StreamEnd<'a> {
    /// All items were sent.
    Done,
    /// With the declared error packet, in its own codec.
    Error(&'a [u8]),
    /// It could not be finished as declared.
    Failure {
        /// For programs: 1 to 64 bytes (`docs/wire.md` §10).
        code: &'a str,
        /// For people: at most 1 KiB, of unknown origin.
        message: &'a str,
    },
}

/// A frame that this side was about to send exceeds what the other side takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("frame of {len} bytes exceeds the other side's limit of {max}")]
#[non_exhaustive]
pub struct FrameTooLong {
    /// Length it would have, in bytes.
    pub len: usize,
    /// Limit in force, in bytes.
    pub max: u32,
}

macro_rules! kinds {
    ($($kind:ident = $byte:literal $name:literal,)*) => {
        /// The kind byte. 0x30 to 0x3F are reserved for acknowledgements and resumed sessions.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub(crate) enum Kind {
            $($kind = $byte,)*
        }

        impl Kind {
            const fn from_u8(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$kind),)*
                    _ => None,
                }
            }

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    Hello = 0x01 "HELLO",
    Welcome = 0x02 "WELCOME",
    Differ = 0x03 "DIFFER",
    Offer = 0x04 "OFFER",
    Shapes = 0x05 "SHAPES",
    Time = 0x10 "TIME",
    Packet = 0x11 "PACKET",
    Call = 0x12 "CALL",
    Reply = 0x13 "REPLY",
    Error = 0x14 "ERROR",
    Failure = 0x15 "FAILURE",
    Item = 0x16 "ITEM",
    End = 0x17 "END",
    Cancel = 0x18 "CANCEL",
    Credit = 0x19 "CREDIT",
    Ping = 0x20 "PING",
    Pong = 0x21 "PONG",
    Close = 0x22 "CLOSE",
}

#[cfg(test)]
mod tests;
