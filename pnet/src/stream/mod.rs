//! Streams: many packets that answer one, in either direction.
//!
//! [`StreamSender`] is the producer's end, which a handler gets as an argument; [`Streaming`] the consumer's, which
//! [`Client::stream`](crate::Client::stream) and [`Peer::stream`](crate::Peer::stream) return.

mod receiver;
mod sender;

pub use self::{
    receiver::Streaming,
    sender::{SendingItem, StreamSender},
};

/// A stream that this side produces: the call that opened it, which the other side numbers, and which of those with this
/// number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId {
    pub(crate) call: u32,
    pub(crate) serial: u64,
}
