//! The open state of a native connection, in two parts that need not live together: [`Outbound`] (what this side may send)
//! goes under the lock of the out-buffer, [`Inbound`] (what the other side may send) with the reader.
//!
//! Both sides call, so there are two spaces of call ids: the caller chooses the id, and REPLY, ERROR, FAILURE, ITEM and
//! END bring it back. Rules: `docs/wire.md` §7 and §8.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod inbound;
mod outbound;

pub use self::{inbound::Inbound, outbound::Outbound};
