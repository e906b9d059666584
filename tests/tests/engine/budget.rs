//! What a server holds for all its connections: when it stops reading, what it refuses, who has to go.

use std::time::Duration;

use pnet::{
    ByteBuf, CloseCode, Limits, Packet, Peer, Protocol, TrySendReason, action, actions, memory::MemoryServer, protocol,
};
use pnet_tests::talk::Book;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep},
};

use super::{
    net,
    support::{poll_once, settle, shake},
};

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Note {}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Work {
    data: ByteBuf,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Fact {
    text: String,
}

/// A call that is finished although its caller has gone.
#[derive(Debug, Packet, Serialize, Deserialize)]
struct Keep {
    data: ByteBuf,
}

protocol! { Load { client { Note, Work, Keep -> () } server { Fact } } }

#[action("NOTE")]
fn note(_: Note, book: &Book) {
    book.write("note");
}

#[action("WORK")]
async fn work(_: Work, book: &Book) {
    book.gate.acquire().await.expect("open").forget();
}

#[action("KEEP", finish)]
async fn keep(_: Keep, book: &Book) {
    book.write("keep");
    book.gate.acquire().await.expect("open").forget();
}

#[action("FACT")]
fn fact(_: Fact) {}

actions! { server LoadServer(Book) for Load: note, work, keep }
actions! { client LoadClient for Load: fact }

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn data(len: usize) -> ByteBuf {
    ByteBuf::from(vec![7; len])
}

/// As long in both dialects.
fn text(len: usize) -> Fact {
    Fact { text: "x".repeat(len) }
}

struct Server {
    server: MemoryServer<Load>,
    book: std::sync::Arc<Book>,
}

impl Server {
    fn new(memory: usize) -> Self {
        let book = std::sync::Arc::new(Book::default());
        let mut limits = Limits::default();
        limits.packet_bytes(4 * 1024 * 1024);
        let server = net::builder(LoadServer, std::sync::Arc::clone(&book))
            .max_memory(memory)
            .limits(limits)
            .heartbeat(Duration::from_secs(1))
            .in_memory();
        Self { server, book }
    }

    /// A client that shakes hands and does nothing else, ever; in JSON it has no credit to run out of.
    async fn idle(&self, json: bool) -> (Peer<Load>, DuplexStream) {
        let mut io = self.server.connector().open().await.expect("opens");
        if json {
            io.write_all(br#"{"action":"NOTE","data":{}}"#).await.expect("writes");
        } else {
            shake(&mut io, Load::INFO, &Limits::default()).await;
        }
        settle().await;
        (self.server.hub().latest().expect("there"), io)
    }

    fn used(&self) -> usize {
        self.server.handle().memory_used()
    }
}

/// Pushes so many bytes at least.
fn fill(peer: &Peer<Load>, bytes: usize) {
    let mut pushed = 0;
    while pushed < bytes {
        assert!(peer.try_send(text(20 * KIB)).is_ok(), "there is room for {pushed} and more");
        pushed += 20 * KIB;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_from_three_quarters_on_and_everything_below() {
    let load = Server::new(2 * MIB);
    let mut idle = Vec::new();
    for json in [false, true] {
        let (peer, io) = load.idle(json).await;
        fill(&peer, 810 * KIB);
        settle().await;
        idle.push((peer, io));
    }
    assert!((1_536 * KIB..2 * MIB).contains(&load.used()), "{}", load.used());
    let (_, mut talker) = load.idle(true).await;
    settle().await;
    let before = load.book.lines().len();
    talker.write_all(br#"{"action":"NOTE","data":{}}"#).await.expect("the pipe has room");
    settle().await;
    assert_eq!(load.book.lines().len(), before, "nothing is read");
    drop(idle.pop());
    settle().await;
    // Two: the one that made it a JSON client, too.
    assert!(load.book.lines().len() > before, "it is read on");
    assert!(load.used() < 1_536 * KIB, "{}", load.used());
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_read_that_has_to_give_credit() {
    let load = Server::new(MIB);
    // 64 packets of credit are used up, and memory by another one's work.
    let (waiting, mut io) = load.idle(false).await;
    for _ in 0..65 {
        assert!(waiting.try_send(text(1)).is_ok(), "there is room");
    }
    let worker = load.server.connect(LoadClient, ()).await.expect("connects");
    for _ in 0..9 {
        worker.send(Work { data: data(100 * KIB) }).await.expect("sent");
    }
    settle().await;
    assert!((768 * KIB..MIB).contains(&load.used()), "{}", load.used());
    let mut seen = vec![0; 16 * KIB];
    let before = io.read(&mut seen).await.expect("the first ones");
    assert_ne!(before, 0);
    let mut credit = Vec::new();
    pnet_protocol::frame::Frame::Credit { id: 0, packets: 64, bytes: 4096 }.encode(&mut credit);
    io.write_all(&credit).await.expect("writes");
    settle().await;
    assert_ne!(io.read(&mut seen).await.expect("the last one"), 0);
}

#[tokio::test(start_paused = true)]
async fn time_without_reading_is_no_silence_of_the_peers() {
    let load = Server::new(MIB);
    let worker = load.server.connect(LoadClient, ()).await.expect("connects");
    let (silent, _io) = load.idle(false).await;
    for _ in 0..8 {
        worker.send(Work { data: data(100 * KIB) }).await.expect("sent");
    }
    settle().await;
    assert!(load.used() >= 768 * KIB, "{}", load.used());
    // Three heartbeats are 3 s, and after 10 s of this the largest would have to go.
    sleep(Duration::from_secs(9)).await;
    assert_eq!(load.server.hub().len(), 2);
    load.book.open(8);
    settle().await;
    let since = Instant::now();
    assert_eq!(silent.closed().await.code(), CloseCode::Timeout);
    assert!((2..5).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    assert!(!worker.is_closed());
}

#[tokio::test(start_paused = true)]
async fn who_holds_most_goes_if_nothing_is_read_for_ten_seconds() {
    let load = Server::new(MIB);
    let worker = load.server.connect(LoadClient, ()).await.expect("connects");
    let other = load.server.connect(LoadClient, ()).await.expect("connects");
    let peers = load.server.hub().peers();
    other.send(Work { data: data(100 * KIB) }).await.expect("sent");
    for _ in 0..7 {
        worker.send(Work { data: data(100 * KIB) }).await.expect("sent");
    }
    settle().await;
    let since = Instant::now();
    let closed = peers[0].closed().await;
    assert_eq!((closed.code(), since.elapsed().as_secs()), (CloseCode::SlowConsumer, 10));
    assert!(closed.reason().contains("1048576"), "{}", closed.reason());
    sleep(Duration::from_secs(5)).await;
    assert!(!peers[1].is_closed() && !other.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_full_budget_refuses_pushes_and_closes_the_largest_queue() {
    let load = Server::new(2 * MIB);
    let (small, _io) = load.idle(true).await;
    let (large, _large) = load.idle(true).await;
    let (middle, _middle) = load.idle(true).await;
    let (healthy, _healthy) = load.idle(true).await;
    fill(&middle, 500 * KIB);
    fill(&large, 860 * KIB);
    fill(&small, 300 * KIB);
    settle().await;
    let last = loop {
        if let Err(refused) = small.try_send(text(20 * KIB)) {
            break refused;
        }
    };
    assert!(matches!(last.reason, TrySendReason::Full));
    let refused = healthy.try_send(text(1)).expect_err("for nobody");
    assert!(matches!(refused.reason, TrySendReason::Full));
    assert_eq!(load.server.hub().broadcast(&text(1)).dropped, 4);
    let mut sending = Box::pin(healthy.send(text(1)));
    assert!(!poll_once(sending.as_mut()).await);
    assert!((2 * MIB..2 * MIB + 64 * KIB).contains(&load.used()), "{}", load.used());
    settle().await;
    let closed = large.closed().await;
    assert_eq!(closed.code(), CloseCode::SlowConsumer);
    assert!(closed.reason().contains("2097152"), "{}", closed.reason());
    sending.await.expect("there is room again");
    assert!(!small.is_closed() && !middle.is_closed() && !healthy.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_frame_in_many_queues_counts_once_and_nothing_is_left_at_the_end() {
    let load = Server::new(64 * MIB);
    let mut idle = Vec::new();
    for index in 0..100 {
        idle.push(load.idle(index % 2 == 0).await.1);
    }
    let hub = load.server.hub();
    // More than the pipes take, so that all are blocked.
    assert_eq!(hub.broadcast(&text(100 * KIB)).queued, 100);
    settle().await;
    let before = load.used();
    for _ in 0..5 {
        assert_eq!(hub.broadcast(&text(100 * KIB)).queued, 100);
    }
    settle().await;
    let grown = load.used() - before;
    // Once in each dialect, and a place in each queue.
    assert!((1000 * KIB..1100 * KIB).contains(&grown), "{grown}");
    drop(idle);
    settle().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!((hub.len(), load.used()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_account_is_empty_when_all_work_is_done() {
    let load = Server::new(64 * MIB);
    let worker = load.server.connect(LoadClient, ()).await.expect("connects");
    for _ in 0..20 {
        worker.send(Work { data: data(50 * KIB) }).await.expect("sent");
    }
    settle().await;
    assert!(load.used() >= 1000 * KIB, "{}", load.used());
    load.book.open(20);
    settle().await;
    assert_eq!(load.used(), 0);
    for _ in 0..20 {
        worker.send(Work { data: data(50 * KIB) }).await.expect("sent");
    }
    worker.close().await;
    settle().await;
    assert_eq!(load.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_handlers_of_clients_that_have_left_hold_costs_nobody_a_connection() {
    let load = Server::new(2 * MIB);
    let (peer, _io) = load.idle(false).await;
    for round in 1..=4 {
        let client = load.server.connect(LoadClient, ()).await.expect("connects");
        let call = tokio::spawn(client.call(Keep { data: data(600 * KIB) }));
        load.book.after(round).await;
        drop(client);
        let _ = call.await;
        settle().await;
    }
    sleep(Duration::from_secs(30)).await;
    assert!(load.used() < MIB, "{}", load.used());
    // The silent one gives no signs of life either, but nobody else was to go.
    assert_eq!(peer.closed().await.code(), CloseCode::Timeout);
    load.book.open(4);
}
