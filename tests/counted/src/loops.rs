//! Loops of calls without a kernel: one side is pnet or a hand-written loop, the other prepared bytes.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use pnet::{Limits, transport::PeerAddr};
use pnet_protocol::dialect::Dialect;
use tokio::runtime::{Builder, Runtime};

use crate::{
    adder::{Add, Adder, Adding, Caller, Count, Event, NOTE, Note, STREAM_LEN},
    hand,
    script::{Ear, Feed, Handed, Kind, Oracle, batch, hello},
};

/// What a loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the counts name every kind")]
pub enum Case {
    /// A server by hand: calls only, native only.
    Hand,
    /// A pnet server.
    Server(Dialect, Kind),
    /// A pnet client with tasks that call, or one task that sends.
    Client(Dialect, Kind),
    /// A pnet server that tells all its connections the same.
    Broadcast(Dialect),
}

impl Case {
    /// All of them, by the names that the counts and the benchmark show.
    pub const ALL: [(&'static str, Self); 21] = [
        ("hand", Self::Hand),
        ("server", Self::Server(Dialect::Native, Kind::Add)),
        ("server-async", Self::Server(Dialect::Native, Kind::AddLater)),
        ("server-waits", Self::Server(Dialect::Native, Kind::AddAfter)),
        ("server-owned", Self::Server(Dialect::Native, Kind::AddOwned)),
        ("server-stream", Self::Server(Dialect::Native, Kind::Count)),
        ("server-one-way", Self::Server(Dialect::Native, Kind::Note)),
        ("json-server", Self::Server(Dialect::Json, Kind::Add)),
        ("json-server-async", Self::Server(Dialect::Json, Kind::AddLater)),
        ("json-server-waits", Self::Server(Dialect::Json, Kind::AddAfter)),
        ("json-server-owned", Self::Server(Dialect::Json, Kind::AddOwned)),
        ("json-server-stream", Self::Server(Dialect::Json, Kind::Count)),
        ("json-server-one-way", Self::Server(Dialect::Json, Kind::Note)),
        ("client", Self::Client(Dialect::Native, Kind::Add)),
        ("client-stream", Self::Client(Dialect::Native, Kind::Count)),
        ("client-one-way", Self::Client(Dialect::Native, Kind::Note)),
        ("json-client", Self::Client(Dialect::Json, Kind::Add)),
        ("json-client-stream", Self::Client(Dialect::Json, Kind::Count)),
        ("json-client-one-way", Self::Client(Dialect::Json, Kind::Note)),
        ("broadcast", Self::Broadcast(Dialect::Native)),
        ("json-broadcast", Self::Broadcast(Dialect::Json)),
    ];

    /// The case of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, case)| *case)
    }

    /// Plays `batches` batches of `size` packets, or broadcasts to `size` connections; how many packets, streams or
    /// deliveries that were.
    ///
    /// # Panics
    ///
    /// If the connection does not come about, or an answer is missing.
    pub fn play(self, size: u32, batches: u64) -> u64 {
        let packets = u64::from(size) * batches;
        runtime().block_on(async {
            match self {
                Self::Hand => {
                    let (feed, heard) = Feed::new(Vec::new(), batch(Dialect::Native, Kind::Add, size), batches);
                    tokio::spawn(hand::serve(feed)).await.expect("no panic").expect("calls are answered");
                    let heard = heard.all().await;
                    assert!(heard >= packets * SHORTEST, "{heard} bytes for {packets} calls");
                }
                Self::Server(dialect, kind) => {
                    let (feed, heard) = Feed::new(hello(dialect), batch(dialect, kind, size), batches);
                    let feed = feed.answered(dialect, u64::from(size) * answers(dialect, kind));
                    let server = pnet::serve(Adder, ()).listen::<Adding, _>(Handed(vec![feed]));
                    let heard = heard.all().await;
                    drop(server);
                    assert!(kind == Kind::Note || heard >= packets * SHORTEST, "{heard} bytes for {packets} calls");
                }
                Self::Client(dialect, kind) => client(dialect, kind, size, batches).await,
                Self::Broadcast(dialect) => broadcast(dialect, size, batches).await,
            }
        });
        packets
    }
}

/// How many answers a packet has, if they have to be there before the next batch.
const fn answers(dialect: Dialect, kind: Kind) -> u64 {
    match (kind, dialect) {
        (Kind::AddAfter, _) | (Kind::Count, Dialect::Native) => 1,
        // The items, and the end.
        (Kind::Count, _) => STREAM_LEN + 1,
        _ => 0,
    }
}

/// A client with `size` tasks, each of which makes one call after the other.
async fn client(dialect: Dialect, kind: Kind, size: u32, batches: u64) {
    let client = pnet::connect(Caller, ())
        .dialect(dialect)
        .limits(*Limits::default().stream_items(u32::MAX).packet_bytes(u32::MAX))
        .over::<Adding>(Oracle::new(dialect), PeerAddr::Memory)
        .await
        .expect("it answers");
    let tasks = if kind == Kind::Note { 1 } else { size };
    let each = if kind == Kind::Note { batches * u64::from(size) } else { batches };
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for n in 0..each {
                    match kind {
                        Kind::Note => client.send(Note { n, note: NOTE.into() }).await.expect("it is taken"),
                        Kind::Count => {
                            let mut sums = client.stream(Count { sums: STREAM_LEN });
                            let mut items = 0;
                            while let Some(sum) = sums.next().await {
                                sum.expect("it is an item");
                                items += 1;
                            }
                            assert_eq!(items, STREAM_LEN);
                        }
                        _ => {
                            let sum = client.call(Add { a: 1, b: 2, note: NOTE.into() }).await;
                            assert_eq!(sum.expect("it is answered").sum, 3);
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

/// Tells `size` connections the same, and again as soon as all were written to.
async fn broadcast(dialect: Dialect, size: u32, rounds: u64) {
    let writes = Arc::new(AtomicU64::new(0));
    let mut first = hello(dialect);
    first.extend(batch(dialect, Kind::Note, 1));
    let ears = (0..size).map(|_| Ear::new(first.clone(), Arc::clone(&writes))).collect();
    let server = pnet::serve(Adder, ()).listen::<Adding, _>(Handed(ears));
    let hub = server.hub();
    while hub.len() < size as usize {
        tokio::task::yield_now().await;
    }
    for n in 0..rounds {
        let before = writes.load(Ordering::Relaxed);
        assert_eq!(hub.broadcast(&Event { n, note: NOTE.into() }).queued, size as usize);
        while writes.load(Ordering::Relaxed) < before + u64::from(size) {
            tokio::task::yield_now().await;
        }
    }
}

/// One thread, as all that is counted needs.
///
/// # Panics
///
/// If the system does not let it have one.
#[must_use]
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

/// Runs a future on a runtime of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// A REPLY frame is not shorter.
const SHORTEST: u64 = 10;
