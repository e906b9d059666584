//! The protocol that is counted: two numbers and a text of 32 bytes, answered with their sum and the text's length.
//!
//! No field owns memory, so whatever is allocated is pnet's.

use std::borrow::Cow;

use pnet::{Packet, SendError, StreamSender, action, actions, protocol};
use serde::{Deserialize, Serialize};

/// Added on the spot, by a `fn`.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Add<'a> {
    /// One summand.
    pub a: i64,
    /// The other one.
    pub b: i64,
    /// Of which only the length matters.
    #[serde(borrow)]
    pub note: Cow<'a, str>,
}

/// Added by an `async fn` that does not wait.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct AddLater<'a> {
    /// One summand.
    pub a: i64,
    /// The other one.
    pub b: i64,
    /// Of which only the length matters.
    #[serde(borrow)]
    pub note: Cow<'a, str>,
}

/// Added by an `async fn` that waits once.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct AddAfter<'a> {
    /// One summand.
    pub a: i64,
    /// The other one.
    pub b: i64,
    /// Of which only the length matters.
    #[serde(borrow)]
    pub note: Cow<'a, str>,
}

/// Added on the spot; its text is its own.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct AddOwned {
    /// One summand.
    pub a: i64,
    /// The other one.
    pub b: i64,
    /// Of which only the length matters.
    pub note: String,
}

/// Answered with a stream of sums.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Count {
    /// How many.
    pub sums: u64,
}

/// What is broadcast.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Event<'a> {
    /// Which one.
    pub n: u64,
    /// Of which nothing matters.
    #[serde(borrow)]
    pub note: Cow<'a, str>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct Sum {
    /// The sum.
    pub sum: i64,
    /// The length of the text.
    pub len: u32,
}

/// One way.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Note<'a> {
    /// Which one.
    pub n: u64,
    /// Of which nothing matters.
    #[serde(borrow)]
    pub note: Cow<'a, str>,
}

protocol! {
    pub Adding {
        client {
            Add<'_> -> Sum,
            AddLater<'_> -> Sum,
            AddAfter<'_> -> Sum,
            AddOwned -> Sum,
            Count -> stream Sum,
            Note<'_>
        }
        server { Event<'_> }
    }
}

#[action("ADD")]
fn add(p: Add<'_>) -> Sum {
    Sum::of(p.a, p.b, &p.note)
}

#[action("ADD_LATER")]
async fn add_later(p: AddLater<'_>) -> Sum {
    Sum::of(p.a, p.b, &p.note)
}

#[action("ADD_AFTER")]
async fn add_after(p: AddAfter<'_>) -> Sum {
    tokio::task::yield_now().await;
    Sum::of(p.a, p.b, &p.note)
}

#[action("ADD_OWNED")]
fn add_owned(p: AddOwned) -> Sum {
    Sum::of(p.a, p.b, &p.note)
}

#[action("COUNT")]
async fn count(p: Count, out: StreamSender<Sum>) -> Result<(), SendError> {
    for n in 0..p.sums {
        out.send(Sum { sum: n.cast_signed(), len: 0 }).await?;
    }
    Ok(())
}

#[action("EVENT")]
fn event(p: Event<'_>) {
    std::hint::black_box((p.n, &p.note));
}

#[action("NOTE")]
fn note(p: Note<'_>) {
    std::hint::black_box((p.n, &p.note));
}

actions! { pub server Adder for Adding: add, add_later, add_after, add_owned, count, note }
actions! { pub client Caller for Adding: event }

impl Sum {
    /// The sum of two numbers, with the length of a text.
    #[must_use]
    pub fn of(a: i64, b: i64, note: &str) -> Self {
        Self { sum: a.wrapping_add(b), len: u32::try_from(note.len()).unwrap_or(u32::MAX) }
    }
}

/// The length of each stream.
pub const STREAM_LEN: u64 = 100;

/// The text of each packet.
pub const NOTE: &str = "a note of exactly thirty-two by.";
