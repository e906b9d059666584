//! The open state of a native connection, in three parts that need not live together: [`Outbound`] (what this side may
//! send) goes under the lock of the out-buffer, [`Inbound`] (what the other side may send) with the reader, and
//! [`Calls`] (who waits for which answer) wherever the callers are. What the JSON dialect has in common with it is here,
//! too: [`Calls`], [`Credit`], [`Event`], [`ReplyTo`], [`Violation`]; the rest is in [`json`](crate::json).
//!
//! Both sides call, so there are two spaces of call ids: the caller chooses the id, and REPLY, ERROR, FAILURE, ITEM and
//! END bring it back. Rules: `docs/wire.md` §7 and §8.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use crate::close::{CloseCode, CloseReason};

mod calls;
mod credit;
mod debug;
mod inbound;
mod outbound;
mod rate;
mod reply_to;

pub use self::calls::{Calls, MAX_CALLS};
pub use self::credit::{Credit, Window};
pub use self::inbound::{Answer, Call, Event, InFlight, Inbound, Packet};
pub use self::outbound::{Outbound, SendRefused};
pub use self::rate::Rate;
pub use self::reply_to::ReplyTo;

/// A rule of the open state that the peer broke; the connection has to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The peer sent a frame that only the handshake has.
    #[error("{frame} frame after the handshake")]
    Handshake {
        /// The kind's name.
        frame: &'static str,
    },
    /// The peer used a call id again before the call was answered.
    #[error("call {id} is already open")]
    DuplicateCall {
        /// The id used twice.
        id: u32,
    },
    /// The peer used 0, which is not a call id.
    #[error("{frame} frame with id 0")]
    ZeroId {
        /// The kind's name.
        frame: &'static str,
    },
    /// The peer sent a one-way packet without having the credit for it.
    #[error("one-way packet beyond the credit of {packets} packets and {bytes} bytes")]
    NoCredit {
        /// Packets it may have on their way.
        packets: u32,
        /// Bytes it may have on their way.
        bytes: u32,
    },
    /// The peer sent an item of a stream without having the credit for it.
    #[error("item of stream {id} beyond the credit of {items} items and {bytes} bytes")]
    NoItemCredit {
        /// The call that opened the stream.
        id: u32,
        /// Items that may be on their way.
        items: u32,
        /// Bytes that may be on their way.
        bytes: u32,
    },
    /// The peer gave more credit than can be counted.
    #[error("credit above 2147483648")]
    CreditOverflow,
    /// The peer sent a frame after its CLOSE frame.
    #[error("{frame} frame after CLOSE")]
    AfterClose {
        /// The kind's name.
        frame: &'static str,
    },
    /// The peer gave a token that is not this connection's own.
    #[error("a token that is not this connection's")]
    WrongToken,
    /// The peer says that it means another protocol.
    #[error("the client means another protocol")]
    OtherProtocol,
    /// The peer, which has no credit to go by, sent more one-way packets than this side holds for it.
    #[error("{packets} packets of {bytes} bytes are not handled yet, and one more came")]
    Overload {
        /// Packets that are not handled yet.
        packets: u32,
        /// Bytes of them.
        bytes: u64,
    },
    /// The peer did what is allowed now and then, but too often.
    #[error("too many {what}: more than {limit} in {per_ms} ms")]
    Abuse {
        /// What it did, in the plural.
        what: &'static str,
        /// How often it may.
        limit: u32,
        /// In which time, in milliseconds.
        per_ms: u64,
    },
}

impl CloseReason for Violation {
    fn close_code(&self) -> CloseCode {
        match self {
            Self::Abuse { .. } => CloseCode::Abuse,
            Self::WrongToken => CloseCode::Unauthorized,
            Self::OtherProtocol => CloseCode::ProtocolMismatch,
            Self::Overload { .. } => CloseCode::Overloaded,
            _ => CloseCode::ProtocolError,
        }
    }
}
