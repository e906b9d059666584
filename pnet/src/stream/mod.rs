//! Streams: many packets that answer one, in either direction.
//!
//! [`StreamSender`] is the producer's end, which a handler gets as an argument; [`Streaming`] the consumer's, which
//! [`Client::stream`](crate::Client::stream) and [`Peer::stream`](crate::Peer::stream) return.

mod json;
mod receiver;
mod sender;

use pnet_protocol::failure::{Failure, code};

pub(crate) use self::sender::item_json;
pub use self::{
    json::JsonStreaming,
    receiver::Streaming,
    sender::{SendingItem, StreamSender},
};
use crate::error::SendError;

/// How a stream ended whose handler gave back what its sender had told it: that is nobody's fault.
pub(crate) fn ended_early(failure: Failure) -> Failure {
    match failure.source().and_then(|source| source.downcast_ref::<SendError>()) {
        Some(SendError::Cancelled) => Failure::public(code::CANCELLED, "the consumer did not wait"),
        Some(SendError::ShuttingDown) => Failure::public(code::GOING_AWAY, "this side is shutting down"),
        _ => failure,
    }
}

/// A stream that this side produces: the call that opened it, which the other side numbers, and which of those with this
/// number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId {
    pub(crate) call: u32,
    pub(crate) serial: u64,
}

#[cfg(feature = "console")]
impl StreamId {
    /// A stream that an operator has opened, by the number of his run.
    pub(crate) const fn of_operator(run: u32) -> Self {
        Self { call: run, serial: OPERATOR }
    }

    pub(crate) const fn is_operators(self) -> bool {
        self.serial == OPERATOR
    }
}

/// No peer opens so many streams.
#[cfg(feature = "console")]
const OPERATOR: u64 = u64::MAX;
