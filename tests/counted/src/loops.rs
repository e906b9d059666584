//! Loops of calls without a kernel: one side is pnet or a hand-written loop, the other prepared bytes.

use std::future::Future;

use pnet::transport::PeerAddr;
use pnet_protocol::dialect::Dialect;
use tokio::runtime::{Builder, Runtime};

use crate::{
    adder::{Add, Adder, Adding, Caller, NOTE, Note},
    hand,
    script::{Feed, Handed, Kind, Oracle, batch, hello},
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
    Client(Kind),
}

impl Case {
    /// All of them, by the names that the counts and the benchmark show.
    pub const ALL: [(&'static str, Self); 12] = [
        ("hand", Self::Hand),
        ("server", Self::Server(Dialect::Native, Kind::Add)),
        ("server-async", Self::Server(Dialect::Native, Kind::AddLater)),
        ("server-waits", Self::Server(Dialect::Native, Kind::AddAfter)),
        ("server-owned", Self::Server(Dialect::Native, Kind::AddOwned)),
        ("server-stream", Self::Server(Dialect::Native, Kind::Count)),
        ("server-one-way", Self::Server(Dialect::Native, Kind::Note)),
        ("json-server", Self::Server(Dialect::Json, Kind::Add)),
        ("json-server-async", Self::Server(Dialect::Json, Kind::AddLater)),
        ("json-server-one-way", Self::Server(Dialect::Json, Kind::Note)),
        ("client", Self::Client(Kind::Add)),
        ("client-one-way", Self::Client(Kind::Note)),
    ];

    /// The case of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, case)| *case)
    }

    /// Plays `batches` batches of `size` packets; how many packets that were.
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
                    let waits = matches!(kind, Kind::AddAfter | Kind::Count);
                    let feed = feed.answered(if waits { size } else { 0 });
                    let server = pnet::serve(Adder, ()).listen::<Adding, _>(Handed(vec![feed]));
                    let heard = heard.all().await;
                    drop(server);
                    assert!(kind == Kind::Note || heard >= packets * SHORTEST, "{heard} bytes for {packets} calls");
                }
                Self::Client(kind) => client(kind, size, batches).await,
            }
        });
        packets
    }
}

/// A client with `size` tasks, each of which makes one call after the other.
async fn client(kind: Kind, size: u32, batches: u64) {
    let client = pnet::connect(Caller, ()).over::<Adding>(Oracle::new(), PeerAddr::Memory).await.expect("it answers");
    let tasks = if kind == Kind::Note { 1 } else { size };
    let each = if kind == Kind::Note { batches * u64::from(size) } else { batches };
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for n in 0..each {
                    let (a, b) = (1, 2);
                    if kind == Kind::Note {
                        client.send(Note { n, note: NOTE.into() }).await.expect("it is taken");
                    } else {
                        client.call(Add { a, b, note: NOTE.into() }).await.expect("it is answered");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
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
