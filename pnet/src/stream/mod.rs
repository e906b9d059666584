//! Streams: many packets that answer one, in either direction.
//!
//! [`StreamSender`] is the producer's end, which a handler gets as an argument; [`Streaming`] the consumer's, which
//! [`Client::stream`](crate::Client::stream) and [`Peer::stream`](crate::Peer::stream) return.

mod json;
mod receiver;
mod sender;

pub(crate) use pnet_protocol::connection::StreamId;
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
