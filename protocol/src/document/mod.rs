//! The schema of a protocol as a JSON text, *format 1*: what a peer that knows the protocol at run time only can work
//! with.
//!
//! [`write()`] makes the text of a [`ProtocolInfo`], [`read()`] makes a `ProtocolInfo` of a text. What stands in it, and what is promised to other readers, says `docs/schema.md` in the repository.
//!
//! # Examples
//!
//! ```
//! use pnet_protocol::{document, handshake::ShapePolicy};
//!
//! let text = r#"{"pnet-schema":1,"protocol":"Clock","client":[
//!     {"action":"SET","packet":"Set","codec":"postcard","data":{"struct":[{"name":"hour","type":"u8"}]}}
//! ],"server":[]}"#;
//! let clock = document::read(text)?;
//! assert_eq!(clock.client.actions[0].shape().to_string(), "{hour: u8}");
//!
//! let text = document::write(clock, ShapePolicy::Names);
//! assert!(text.contains("SET") && !text.contains("hour"));
//! # Ok::<(), document::SchemaError>(())
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod arena;
mod error;
mod place;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

pub use self::{
    error::{SchemaError, SchemaFault},
    read::{check, read},
    write::write,
};
use crate::info::{ProtocolInfo, ShapePolicy};

/// The format that is written and read.
pub const VERSION: u64 = 1;

/// The longest text that is read, in bytes.
pub const MAX_LEN: usize = 4 * 1024 * 1024;

/// The most texts that a process reads, equal ones counted once: what comes of them stays in memory.
pub const MAX_KEPT: usize = 256;

/// The text of the [opaque](crate::schema::Ty::Opaque) shape that a packet has of which only the name was told.
pub const UNTOLD: &str = "not told";

/// What [`write()`] makes of a protocol, made once in a process and kept.
#[must_use]
pub fn shared(info: &'static ProtocolInfo, shapes: ShapePolicy) -> &'static str {
    type Texts = HashMap<(usize, ShapePolicy), &'static str>;
    static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);

    // There are as many as the program has protocols, so what is kept is bounded by the program.
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    texts.entry((std::ptr::from_ref(info).addr(), shapes)).or_insert_with(|| write(info, shapes).leak())
}
