//! Full queues: a rule for each packet, and how slow consumers go.

use pnet::{
    ByteBuf, CloseCode, Hub, Json, Limits, Packet, Peer, Protocol, SendError, TrySendReason, action, actions, protocol,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Duration, Instant, sleep},
};

use super::{
    net,
    support::{poll_once, settle, shake},
};

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Hello {}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Fact {
    n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
#[packet("MOVE", when_full = "drop_new")]
struct Move {
    n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
#[packet(json, when_full = "disconnect")]
struct Order {
    n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Page {
    data: ByteBuf,
}

protocol! { Feed { client { Hello } server { Fact, Move, Order, Page } } }

#[action("HELLO")]
fn hello(_: Hello) {}

actions! { server FeedServer for Feed: hello }

struct Full {
    hub: Hub<Feed>,
    peer: Peer<Feed>,
    io: DuplexStream,
}

/// A client that gives no credit, and whose queue is full: nothing was refused yet.
async fn full() -> Full {
    // Nor does it show a sign of life.
    let server = net::builder(FeedServer, ()).heartbeat(Duration::ZERO).in_memory();
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Feed::INFO, &Limits::default()).await;
    settle().await;
    let hub = server.hub();
    let peer = hub.peers().pop().expect("there");
    while peer.try_send(Move { n: 0 }).is_ok() {}
    settle().await;
    Full { hub, peer, io }
}

async fn is_slow_after(peer: &Peer<Feed>, since: Instant, millis: u128) {
    assert_eq!(peer.closed().await.code(), CloseCode::SlowConsumer);
    let took = since.elapsed().as_millis();
    assert!((millis..millis + 500).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn packets_that_wait_are_refused_for_ten_seconds_at_most() {
    let full = full().await;
    let refused = full.peer.try_send(Fact { n: 1 }).expect_err("full");
    assert!(matches!(refused.reason, TrySendReason::Full) && refused.packet.n == 1);
    is_slow_after(&full.peer, Instant::now(), 10_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_waits_for_nobody_counts_as_refused() {
    let full = full().await;
    assert_eq!(full.hub.broadcast(&Fact { n: 1 }).dropped, 1);
    is_slow_after(&full.peer, Instant::now(), 10_000).await;
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_and_packets_that_may_be_dropped_close_nothing() {
    let full = full().await;
    let mut sending = Box::pin(full.peer.send(Fact { n: 1 }));
    assert!(!poll_once(sending.as_mut()).await);
    assert!(matches!(full.peer.send(Move { n: 1 }).await, Err(SendError::Full)));
    assert_eq!(full.hub.broadcast(&Move { n: 1 }).dropped, 1);
    // Longer, and it would be taken for gone, as it gives no sign of life.
    sleep(Duration::from_secs(40)).await;
    assert!(!full.peer.is_closed());
    assert!(!poll_once(sending.as_mut()).await);
    drop(full.io);
    assert!(matches!(sending.await, Err(SendError::Disconnected(_))));
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_must_not_be_missed_ends_the_connection() {
    for way in 0..3 {
        let mut full = full().await;
        let started = Instant::now();
        match way {
            0 => assert!(matches!(full.peer.send(Order { n: 1 }).await, Err(SendError::Disconnected(_)))),
            1 => assert!(matches!(
                full.peer.try_send(Order { n: 1 }).expect_err("full").reason,
                TrySendReason::Failed(SendError::Disconnected(_))
            )),
            _ => assert_eq!(full.hub.broadcast(&Order { n: 1 }).dropped, 1),
        }
        is_slow_after(&full.peer, started, 0).await;
        settle().await;
        assert!(full.hub.is_empty());
        let mut left = Vec::new();
        full.io.read_to_end(&mut left).await.expect("the stream ends");
        assert!(started.elapsed() < Duration::from_millis(100), "nothing waits for the peer");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_a_byte_a_second_goes_and_a_slow_line_stays() {
    for (step, goes) in [(1, true), (4_000, false)] {
        let server = net::serve(FeedServer, ());
        let mut io = server.connector().open().await.expect("opens");
        // Speaks JSON, so that no credit holds the packets back.
        io.write_all(br#"{"action":"HELLO","data":{}}"#).await.expect("writes");
        settle().await;
        let peer = server.hub().peers().pop().expect("there");
        while peer.try_send(Move { n: 0 }).is_ok() {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        let mut bytes = vec![0; step];
        while started.elapsed() < Duration::from_secs(15) && !peer.is_closed() {
            sleep(Duration::from_secs(1)).await;
            if io.read_exact(&mut bytes).await.is_err() {
                break;
            }
        }
        assert_eq!(peer.is_closed(), goes, "{step}");
    }
}

/// A client that can be pushed to without end, as it speaks JSON, or that has not given credit for 64 pages yet.
async fn reader(json: bool) -> (pnet::memory::MemoryServer<Feed>, Peer<Feed>, DuplexStream) {
    let server = net::serve(FeedServer, ());
    let mut io = server.connector().open().await.expect("opens");
    if json {
        io.write_all(br#"{"action":"HELLO","data":{}}"#).await.expect("writes");
    } else {
        shake(&mut io, Feed::INFO, &Limits::default()).await;
    }
    settle().await;
    let peer = server.hub().peers().pop().expect("there");
    (server, peer, io)
}

#[tokio::test(start_paused = true)]
async fn peers_that_do_not_read_what_is_broadcast_go_soon_after_ten_seconds() {
    for json in [false, true] {
        for a_byte_a_second in [false, true] {
            let (server, peer, mut io) = reader(json).await;
            let hub = server.hub();
            let page = Page { data: ByteBuf::from(vec![0; 8 * 1024]) };
            let started = Instant::now();
            while !peer.is_closed() {
                hub.broadcast(&page);
                if a_byte_a_second {
                    let _ = tokio::time::timeout(Duration::from_secs(1), io.read_u8()).await;
                }
                sleep(Duration::from_millis(100)).await;
                settle().await;
            }
            assert_eq!(peer.closed().await.code(), CloseCode::SlowConsumer);
            let took = started.elapsed();
            assert!((10_000..13_000).contains(&took.as_millis()), "{json} {a_byte_a_second}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_peer_goes_between_ten_and_eleven_seconds() {
    for json in [false, true] {
        let (_server, peer, mut io) = reader(json).await;
        for _ in 0..20 {
            peer.try_send(Page { data: ByteBuf::from(vec![0; 8 * 1024]) }).expect("there is room");
        }
        settle().await;
        // The transport refuses from here on, but for a byte a second.
        let started = Instant::now();
        let reading = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                if io.read_u8().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            closed = peer.closed() => assert_eq!(closed.code(), CloseCode::SlowConsumer),
        }
        let took = started.elapsed();
        assert!((10_000..11_000).contains(&took.as_millis()), "{json}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_falls_below_half_has_ten_seconds_again() {
    let (_server, peer, mut io) = reader(true).await;
    let page = || Page { data: ByteBuf::from(vec![0; 8 * 1024]) };
    let fill = || {
        while peer.try_send(page()).is_ok() {}
    };
    fill();
    let mut seen = vec![0; 64 * 1024];
    for _ in 0..3 {
        // Less than ten seconds in a row, and then all but the last half is read.
        sleep(Duration::from_secs(8)).await;
        assert!(!peer.is_closed());
        let mut read = 0;
        while read < 900 * 1024 {
            read += io.read(&mut seen).await.expect("reads");
        }
        settle().await;
        fill();
    }
    assert!(!peer.is_closed());
}

#[tokio::test(start_paused = true)]
async fn packets_made_at_run_time_obey_the_rules_of_their_actions() {
    let json = |action: &str| Json::new(action, serde_json::json!({ "n": 1 }));
    let all = full().await;
    assert!(matches!(all.peer.send_json(&json("MOVE")).await, Err(SendError::Full)));
    assert_eq!(all.hub.broadcast_json(&json("MOVE")).expect("fits").dropped, 1);
    let mut sending = Box::pin(all.peer.send_json(&json("FACT")));
    assert!(!poll_once(sending.as_mut()).await);
    drop(sending);
    sleep(Duration::from_secs(11)).await;
    assert!(!all.peer.is_closed(), "who waits, and what may be dropped, closes nobody");
    assert!(matches!(all.peer.send_json(&json("ORDER")).await, Err(SendError::Disconnected(_))));
    assert_eq!(all.peer.closed().await.code(), CloseCode::SlowConsumer);

    let all = full().await;
    let started = Instant::now();
    assert_eq!(all.hub.broadcast_json(&json("FACT")).expect("fits").dropped, 1);
    is_slow_after(&all.peer, started, 10_000).await;

    let all = full().await;
    let started = Instant::now();
    assert_eq!(all.hub.broadcast_json(&json("ORDER")).expect("fits").dropped, 1);
    is_slow_after(&all.peer, started, 0).await;
}
