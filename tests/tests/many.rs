//! Many connections of both dialects over TCP: every call is answered, everything arrives in order, and nothing is left
//! over. A binary of its own, since it counts the descriptors of its process.
//!
//! A tenth of it in debug builds; `PNET_MANY` says how many connections.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pnet::{Client, ConnectionId, Dialect, Failure, Packet, Peer, action, actions, protocol};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, task::JoinSet, time::timeout};

/// What goes over each connection: 100 in all.
const CALLS: u32 = 40;
const NOTES: u32 = 20;
const TICKS: u32 = 30;
const ASKED: u32 = 10;
/// Calls that overlap.
const AT_ONCE: u32 = 8;

#[derive(Packet, Serialize, Deserialize)]
struct Square {
    n: u64,
}

#[derive(Packet, Serialize, Deserialize)]
struct Squared {
    n: u64,
}

/// One-way, numbered.
#[derive(Packet, Serialize, Deserialize)]
struct Count {
    n: u32,
}

/// Asks for pushes and calls; answered when the pushes are on their way and the calls are answered.
#[derive(Packet, Serialize, Deserialize)]
struct Watch {}

#[derive(Packet, Serialize, Deserialize)]
struct Tick {
    n: u32,
}

#[derive(Packet, Serialize, Deserialize)]
struct Halve {
    n: u32,
}

#[derive(Packet, Serialize, Deserialize)]
struct Half {
    n: u32,
}

protocol! {
    Many {
        client { Count, Square -> Squared, Watch -> () }
        server { Tick, Halve -> Half }
    }
}

/// How many numbered packets have come over each connection.
#[derive(Default)]
struct Counts {
    counts: Mutex<HashMap<ConnectionId, u32>>,
    calls: AtomicU32,
    left: AtomicU32,
}

#[action("COUNT")]
fn count(p: Count, peer: Peer<Many>, all: &Counts) {
    let mut counts = all.counts.lock().unwrap_or_else(PoisonError::into_inner);
    let next = counts.entry(peer.id()).or_default();
    assert_eq!(p.n, *next, "in order");
    *next += 1;
}

#[action("SQUARE")]
fn square(p: Square, all: &Counts) -> Squared {
    all.calls.fetch_add(1, Relaxed);
    Squared { n: p.n * p.n }
}

#[action("WATCH")]
async fn watch(_: Watch, peer: Peer<Many>) -> Result<(), Failure> {
    for n in 0..TICKS {
        peer.send(Tick { n }).await?;
        if n % (TICKS / ASKED) == 0 {
            let half = peer.call(Halve { n: n * 2 }).await?;
            assert_eq!(half.n, n);
        }
    }
    Ok(())
}

#[action(disconnect)]
fn left(all: &Counts) {
    all.left.fetch_add(1, Relaxed);
}

actions! { server ManyServer(Counts) for Many: count, square, watch, left }

#[derive(Default)]
struct Seen {
    ticks: AtomicU32,
}

#[action("TICK")]
fn tick(p: Tick, seen: &Seen) {
    assert_eq!(p.n, seen.ticks.fetch_add(1, Relaxed), "in order");
}

#[action("HALVE")]
async fn halve(p: Halve) -> Half {
    tokio::task::yield_now().await;
    Half { n: p.n / 2 }
}

actions! { client ManyClient(Seen) for Many: tick, halve }

/// All that one client does, but for its goodbye.
async fn talk(client: &Client<Many>, seen: &Seen, seed: u64) {
    let watching = tokio::spawn(client.call(Watch {}));
    for n in 0..NOTES {
        client.send(Count { n }).await.expect("is sent");
    }
    for turn in 0..CALLS / AT_ONCE {
        let mut calls = JoinSet::new();
        for place in 0..AT_ONCE {
            let n = seed * 1_000 + u64::from(turn * AT_ONCE + place);
            let call = client.call(Square { n });
            calls.spawn(async move { assert_eq!(call.await.expect("is answered").n, n * n) });
        }
        while let Some(call) = calls.join_next().await {
            call.expect("the right answer");
        }
    }
    watching.await.expect("no panic").expect("is answered");
    assert_eq!(seen.ticks.load(Relaxed), TICKS, "all pushes have come before the answer");
}

fn descriptors() -> Option<usize> {
    std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_are_answered_in_order_and_nothing_is_left() {
    let usual = if cfg!(debug_assertions) { 100 } else { 1_000 };
    let connections = std::env::var("PNET_MANY").map_or(usual, |text| text.parse().expect("PNET_MANY is a number"));
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = (tasks(), descriptors());
    let started = Instant::now();

    let counts = Arc::new(Counts::default());
    let server = pnet::serve(ManyServer, Arc::clone(&counts)).bind("127.0.0.1:0").await.expect("loopback binds");
    let (address, hub) = (server.local_addr(), server.hub());
    let mut joining = JoinSet::new();
    for number in 0..connections {
        let dialect = if number % 2 == 0 { Dialect::Native } else { Dialect::Json };
        joining.spawn(async move {
            let seen = Arc::new(Seen::default());
            let builder = pnet::connect(ManyClient, Arc::clone(&seen)).dialect(dialect);
            (builder.to(address).await.expect("there is a place"), seen)
        });
    }
    let clients = timeout(Duration::from_secs(60), joining.join_all()).await.expect("all are connected");
    assert_eq!(hub.len(), connections);
    assert_eq!(hub.infos().iter().filter(|info| info.dialect == Dialect::Json).count(), connections / 2);
    let connected = started.elapsed();

    let mut talking = JoinSet::new();
    for (seed, (client, seen)) in (0..).zip(clients) {
        talking.spawn(async move {
            talk(&client, &seen, seed).await;
            client
        });
    }
    let clients = timeout(Duration::from_secs(120), talking.join_all()).await.expect("all are answered");
    let talked = started.elapsed() - connected;
    assert_eq!(counts.calls.load(Relaxed) as usize, connections * CALLS as usize);
    {
        let numbered = counts.counts.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(numbered.len(), connections);
        assert!(numbered.values().all(|count| *count == NOTES));
    }
    let (packets, calls) = hub.infos().iter().fold((0, 0), |(packets, calls), info| {
        (packets + info.sent.packets + info.received.packets, calls + info.sent.calls + info.received.calls)
    });
    assert_eq!(packets, connections as u64 * u64::from(NOTES + TICKS));
    assert_eq!(calls, connections as u64 * u64::from(CALLS + ASKED + 1));

    let mut closing = JoinSet::new();
    for client in clients {
        closing.spawn(async move { client.close().await });
    }
    timeout(Duration::from_secs(30), closing.join_all()).await.expect("all are closed");
    // The server's ends notice it by themselves.
    let all_gone = async {
        while counts.left.load(Relaxed) as usize != connections || !hub.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), all_gone).await.expect("all have left");
    let done = server.shutdown(Duration::from_secs(5)).await;
    assert_eq!(done.cut_off, 0);
    let nothing_left = async {
        while (tasks(), descriptors()) != before {
            tokio::task::yield_now().await;
        }
    };
    let is_over = timeout(Duration::from_secs(10), nothing_left).await;
    assert!(is_over.is_ok(), "tasks and descriptors: {before:?} before, {:?} now", (tasks(), descriptors()));
    eprintln!("{connections} connected in {connected:?}, {packets} packets and {calls} calls in {talked:?}");
}
