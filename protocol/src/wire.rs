//! Both dialects behind one face: what a connection's driver reads with and writes with, whatever the bytes look like.
//!
//! [`Reader`] turns bytes into [events](crate::connection::Event) and enforces this side's limits, [`Writer`] knows what the
//! other side takes and writes it. They need not live together: the reader goes with the task that reads, the writer under the
//! lock of the out-buffer.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod answers;
mod reader;
mod writer;

pub use self::{
    answers::Answers,
    reader::Reader,
    writer::{Writer, encode_packet_frame, packet_frame},
};
pub use crate::fault::ReadError;
