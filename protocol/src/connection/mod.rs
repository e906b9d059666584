//! What connections of both dialects have in their open state: what arrives ([`Event`]), where an answer goes ([`ReplyTo`]),
//! who waits for which answer ([`Calls`]), how much may be on its way ([`Credit`], [`Window`]), how often a peer may do
//! what is allowed now and then ([`Rate`]), and the rules that it may break ([`Violation`]).
//!
//! What is written how is in [`native`](crate::native) and [`json`](crate::json). Rules: `docs/wire.md` §7 and §8.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use crate::close::{CloseCode, CloseReason};

mod answer_bytes;
mod call_table;
mod calls;
mod cancels;
mod credit;
mod debug;
mod event;
mod life;
mod pings;
mod producers;
mod queue;
mod rate;
mod reply_to;
mod waiters;

pub use self::answer_bytes::{AnswerBytes, Payload, SHORT_LEN, Short, Told};
pub use self::call_table::{Answered, CallState, CallTable, Cancelled, Item, NewCall, Opened, sooner};
pub use self::calls::{Calls, MAX_CALLS};
pub use self::credit::{Credit, Window};
pub use self::event::{Answer, Call, Event, InFlight, Named, Packet, Usual, WelcomeText};
pub use self::life::{Life, Sign};
pub use self::pings::Pings;
pub use self::producers::{ItemRefused, Producers, StreamId, Wanted};
pub use self::queue::{Ahead, HIGH_WATER, Parked, QUEUE_BYTES, QUEUE_PACKETS, Queue};
pub use self::rate::{CANCELLATIONS, MISTAKES, Mistakes, Rate};
pub use self::reply_to::{CallId, ReplyTo};
pub use self::waiters::Waiters;

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

/// Why this side may not send something; nobody's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendRefused {
    /// The other side has not yet handled enough of the packets before; wait for its credit.
    #[error("no credit for a one-way packet")]
    NoCredit,
    /// The other side would not take a frame of that length, now or later.
    #[error("frame of {len} bytes exceeds the other side's limit of {max}")]
    TooLong {
        /// Length the frame would have, in bytes.
        len: usize,
        /// Limit the other side told, in bytes.
        max: u32,
    },
}
