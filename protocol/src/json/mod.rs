//! The JSON dialect: every packet is an object that a person can read, and that any language can write.
//!
//! ```text
//! {"action":"ADD","data":{"a":1,"b":2},"packet-created":1700000000.123456,"token":null,"id":7}
//! {"action":"SUM","data":{"sum":3},"packet-created":1700000000.123987,"token":"2f1c…","re":7}
//! ```
//!
//! [`JsonReader`] finds where objects end and says what they mean, [`JsonWriter`] knows what may be sent and writes it;
//! [`Greeting`] and [`JsonHandshake`] are how a server and a client begin. All of it is described in `docs/wire.md` §11.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod envelope;
mod hello;
mod quick;
mod reader;
mod scan;
mod schema_call;
mod writer;

pub use self::{
    envelope::{CallId, Envelope, EnvelopeError, Token},
    hello::{Greeting, JsonHandshake, JsonHello, JsonWelcome},
    reader::{Again, JsonReader, Named, WelcomeText},
    schema_call::{SchemaAnswer, SchemaCall},
    writer::{CallText, JsonWriter, NamedAnswer, Replies, begin_head, head_len, put_close, put_head},
};
use crate::schema::Ty;

/// What the other side is known to be, which decides what it may be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Form {
    /// A script, a person, a program in another language: follows `docs/wire.md`, as far as it likes.
    Plain,
    /// It has said in its `handShake` that it is made for pnet.
    Pnet,
    /// The Python library, or a program like it: takes one short packet at a time, and ties no answer to its question.
    Old,
}

/// Why what was received is no sequence of objects. The sender's fault, and the end of the connection: what follows
/// cannot be told apart any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// Between two objects, or before the first, stands something that is no whitespace.
    #[error("an object begins with {{, and this begins with byte {byte:#04x}")]
    NoObject {
        /// What stands there.
        byte: u8,
    },
    /// A bracket closes another kind of bracket.
    #[error("a `{found}` closes what it does not open")]
    Bracket {
        /// The bracket that was found.
        found: char,
    },
    /// An object is longer than this side takes.
    #[error("an object of more than {max} bytes")]
    TooLong {
        /// Limit in force, in bytes.
        max: u32,
    },
}

/// Actions that the dialect uses itself; no packet has them.
pub(crate) mod action {
    pub(crate) const HANDSHAKE: &str = "handShake";
    pub(crate) const DISCONNECT: &str = "disconnect";
    /// What the Python library asks for signs of life with. A protocol may declare packets of these names.
    pub(crate) const SIGNS: [&str; 2] = ["PING", "isAlive"];
    /// What all others begin with.
    const OWN: &str = "pnet.";

    /// Whether no packet can have that action.
    pub(crate) fn is_own(action: &str) -> bool {
        action.starts_with(OWN) || action == HANDSHAKE || action == DISCONNECT
    }

    pub(crate) const CANCEL: &str = "pnet.cancel";
    pub(crate) const CLOSE: &str = "pnet.close";
    pub(crate) const CREDIT: &str = "pnet.credit";
    pub(crate) const DONE: &str = "pnet.done";
    pub(crate) const END: &str = "pnet.end";
    pub(crate) const FAILURE: &str = "pnet.failure";
    pub(crate) const PING: &str = "pnet.ping";
    pub(crate) const PONG: &str = "pnet.pong";
    pub(crate) const SCHEMA: &str = "pnet.schema";
}

/// The action of an answer that says nothing but that the call was handled: `-> ()`.
pub const DONE: &str = action::DONE;

/// The action of the end of a stream that went as declared.
pub const END: &str = action::END;

/// Whether data that is missing or `null` may stand for an object without fields: packets of structs, whose fields may
/// all be optional.
const fn is_struct(ty: &Ty) -> bool {
    match ty {
        Ty::Named(_, inner) => is_struct(inner),
        Ty::Struct(_) => true,
        _ => false,
    }
}

/// The data of a packet, `{}` where a struct was sent as nothing.
pub(crate) fn payload_of<'a>(data: Option<&'a [u8]>, ty: &Ty) -> &'a [u8] {
    match data {
        None | Some(b"null") if is_struct(ty) => b"{}",
        None => b"null",
        Some(data) => data,
    }
}
