//! postcard, the binary form of payloads (`docs/wire.md` §7.2), between serde's traits and bytes.
//!
//! It is written here rather than taken from the crate of that name as it is on the way of every packet: nothing is generic
//! over where bytes go or come from, and an error is one pointer, so that what is read comes back in registers. Tests compare
//! it with that crate.

mod error;
mod read;
mod write;

pub(crate) use self::{error::Error, read::Reader, write::Writer};

#[cfg(test)]
mod tests;

/// The bytes of the longest varint: 128 bits, 7 in each.
const MAX_VARINT: usize = 19;
