//! The wire of `pnet` without I/O: packets and their schemas, frames, the handshake and the state of a connection.
//!
//! Nothing in this crate knows a runtime, a socket, a clock or a task: bytes and times are passed in, bytes and events
//! come out. `docs/wire.md` in the repository is the normative description of what it reads and writes.

// What users declare: packets, schemas, protocols.
pub mod bytes;
pub mod credentials;
pub mod document;
pub mod dynamic;
pub mod failure;
pub mod info;
pub mod packet;
pub mod protocol;
pub mod reply;
pub mod schema;
pub mod table;
#[doc(hidden)]
pub mod unknown;
pub mod view;
#[doc(hidden)]
pub mod words;

// What goes over the wire.
pub mod close;
pub mod connection;
pub mod dialect;
pub mod fault;
mod find;
pub mod frame;
pub mod handshake;
pub mod id;
pub mod json;
pub mod key;
pub mod limits;
pub mod native;
pub mod secret;
pub mod text;
mod utf8;
pub mod wire;

/// What the macros' output calls, through `pnet`. Promised to nobody.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        packet::{
            Serde,
            codec::{Coder, Decoder, SerdeMissing},
            is_serde,
        },
        schema::check::field,
        view::{Decode, Encode, Lendable, NotWritten, View, ViewCoder, action_of, is_written, shows},
    };
}
