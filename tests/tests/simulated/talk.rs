//! What is said on the simulated network.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pnet::{Closed, Packet, SendError, StreamSender, action, actions, protocol};
use serde::{Deserialize, Serialize};

/// Answered with the double, after a time.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Double {
    pub(crate) n: u64,
    pub(crate) after_ms: u64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Doubled {
    pub(crate) n: u64,
}

/// Answered with the numbers from `n` on.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) n: u64,
    pub(crate) items: u64,
    pub(crate) every_ms: u64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) n: u64,
}

/// One-way.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) n: u64,
}

/// Pushed to everybody.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Tick {
    pub(crate) n: u64,
}

/// Asked by the server, answered at once.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Poll {
    pub(crate) n: u64,
}

protocol! {
    pub(crate) Sim {
        client { Double -> Doubled, Count -> stream Number, Note }
        server { Tick, Poll -> Number }
    }
}

/// What has happened at servers, over all their lives.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<Happened>);

#[derive(Debug, Default)]
pub(crate) struct Happened {
    /// How often each call was handled.
    pub(crate) handled: HashMap<u64, u32>,
    /// The notes that came, in order.
    pub(crate) notes: Vec<u64>,
    /// Why connections ended.
    pub(crate) left: Vec<Closed>,
}

impl Record {
    pub(crate) fn open(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, n: u64) {
        *self.open().handled.entry(n).or_default() += 1;
    }
}

#[action("DOUBLE")]
async fn double(p: Double, record: &Record) -> Doubled {
    record.handle(p.n);
    tokio::time::sleep(Duration::from_millis(p.after_ms)).await;
    Doubled { n: p.n * 2 }
}

#[action("COUNT")]
async fn count(p: Count, record: &Record, out: StreamSender<Number>) -> Result<(), SendError> {
    record.handle(p.n);
    for n in p.n..p.n + p.items {
        tokio::time::sleep(Duration::from_millis(p.every_ms)).await;
        out.send(Number { n }).await?;
    }
    Ok(())
}

#[action("NOTE")]
fn note(p: Note, record: &Record) {
    record.open().notes.push(p.n);
}

#[action(disconnect)]
fn left(record: &Record, why: &Closed) {
    record.open().left.push(why.clone());
}

actions! { pub(crate) server SimServer(Record) for Sim: double, count, note, left }

/// The pushes that came on one connection.
#[derive(Debug, Default)]
pub(crate) struct Ticks(Mutex<Option<u64>>);

#[action("TICK")]
fn tick(p: Tick, ticks: &Ticks) {
    let mut last = ticks.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(last.is_none_or(|last| p.n == last + 1), "{} comes after {last:?}", p.n);
    *last = Some(p.n);
}

#[action("POLL")]
fn poll(p: Poll) -> Number {
    Number { n: p.n + 1 }
}

actions! { pub(crate) client SimClient(Ticks) for Sim: tick, poll }
