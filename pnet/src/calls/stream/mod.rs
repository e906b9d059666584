//! Streams: many packets that answer one, in either direction.
//!
//! [`StreamSender`] is the producer's end, which a handler gets as an argument; [`Streaming`] the consumer's, which
//! [`Client::stream`](crate::Client::stream) and [`Peer::stream`](crate::Peer::stream) return.

mod receiver;
pub(crate) mod sender;

pub(crate) use self::sender::item_json;
pub use self::{
    receiver::Streaming,
    sender::{SendingItem, StreamSender},
};
