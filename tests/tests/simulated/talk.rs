//! What is said on the simulated network.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pnet::{Client, Closed, ConnectionId, Packet, SendError, StreamSender, action, actions, protocol};
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

/// Asked by the server, answered with the numbers from `n` on.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Tail {
    pub(crate) n: u64,
    pub(crate) items: u64,
}

protocol! {
    pub(crate) Sim {
        client { Double -> Doubled, Count -> stream Number, Note }
        server { Tick, Poll -> Number, Tail -> stream Number }
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

/// What the handlers of one client have seen, over all its connections.
#[derive(Debug, Default)]
pub(crate) struct Pushes(Mutex<Pushed>);

#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// The last push on each connection.
    last: HashMap<ConnectionId, u64>,
    /// What should not have been.
    pub(crate) wrong: Vec<String>,
    /// Connections that were let in, and those that have ended.
    pub(crate) joined: u32,
    pub(crate) left: u32,
}

impl Pushes {
    pub(crate) fn open(&self) -> MutexGuard<'_, Pushed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[action("TICK")]
fn tick(p: Tick, pushes: &Pushes, client: Client<Sim>) {
    let mut pushed = pushes.open();
    if let Some(last) = pushed.last.insert(client.id(), p.n)
        && p.n != last + 1
    {
        pushed.wrong.push(format!("push {} comes after {last}", p.n));
    }
}

#[action("POLL")]
fn poll(p: Poll) -> Number {
    Number { n: p.n + 1 }
}

#[action("TAIL")]
async fn tail(p: Tail, out: StreamSender<Number>) -> Result<(), SendError> {
    for n in p.n..p.n + p.items {
        tokio::time::sleep(Duration::from_millis(20)).await;
        out.send(Number { n }).await?;
    }
    Ok(())
}

#[action(connect)]
fn joined(pushes: &Pushes) {
    pushes.open().joined += 1;
}

#[action(disconnect)]
fn gone(pushes: &Pushes) {
    pushes.open().left += 1;
}

actions! { pub(crate) client SimClient(Pushes) for Sim: tick, poll, tail, joined, gone }
