//! The rest of `docs/faults.md`: what peers and handlers may do wrong, and what comes of it.

use std::{future::pending, sync::Arc, time::Duration};

use pnet::{
    CallError, Client, CloseCode, Dialect, Limits, Packet, SendError, StreamSender, action, actions, code,
    memory::MemoryServer, protocol, transport::PeerAddr,
};
use pnet_protocol::{
    close::Close,
    frame::{Frame, StreamEnd},
};
use pnet_tests::talk::{
    Ask, Book, Divide, Fetch, Flood, Follow, Hold, Pay, Tail, Talk, TalkClient, TalkServer, Then, Touch,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional, duplex},
    time::{Instant, advance, sleep, timeout},
};

use super::{
    net,
    support::{Raw, id_of, pair, poll_once, settle},
};

fn server() -> (MemoryServer<Talk>, Arc<Book>) {
    let book = Arc::new(Book::default());
    (net::serve(TalkServer, Arc::clone(&book)), book)
}

fn count(book: &Book, line: &str) -> usize {
    book.lines().iter().filter(|known| known.contains(line)).count()
}

// ── Streams, credit, cancellations ──

#[tokio::test(start_paused = true)]
async fn ten_thousand_streams_at_once_are_abuse() {
    let (server, book) = server();
    let mut raw = Raw::client(&server, &Limits::default()).await;
    let mut payload = Vec::new();
    Follow { to: 0, then: Then::Never }.encode(Follow::CODEC, &mut payload).expect("encodes");
    let mut bytes = Vec::new();
    for id in 1..=10_000 {
        Frame::Call { id, action: id_of("FOLLOW"), timeout_ms: 0, payload: &payload }.encode(&mut bytes);
    }
    // The server may close before it has read all of it.
    let _ = raw.io.write_all(&bytes).await;
    assert_eq!(raw.close_code().await, CloseCode::Abuse);
    book.line("follow was cancelled").await;
    settle().await;
    assert_eq!(count(&book, "follow was cancelled"), 64, "no more were open");
    drop(raw);
    settle().await;
    assert!(server.hub().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_opens_ten_thousand_streams_is_told_busy_and_stays() {
    let pair = pair().await;
    let mut streams = Vec::new();
    for n in 0..10_000 {
        let mut stream = pair.client.stream(Follow { to: 1, then: Then::Never });
        match stream.next().await.expect("something comes") {
            Ok(_) => assert!(n < 64),
            Err(CallError::Failed { code, .. }) => assert!(n >= 64 && code == code::BUSY),
            Err(error) => panic!("{error:?}"),
        }
        streams.push(stream);
    }
    pair.client.call(Touch {}).await.expect("the connection lives");
}

#[tokio::test(start_paused = true)]
async fn credit_of_nothing_and_for_unknown_streams_changes_nothing() {
    let (server, book) = server();
    let mut raw = Raw::client(&server, &Limits::default()).await;
    raw.call(1, &Fetch { items: 200, len: 1 }).await;
    for id in [0, 1, 7, u32::MAX] {
        for _ in 0..1_000 {
            raw.send(Frame::Credit { id, packets: 0, bytes: 0 }).await;
        }
    }
    for _ in 0..1_000 {
        raw.send(Frame::Credit { id: 9, packets: u32::MAX, bytes: u32::MAX }).await;
    }
    settle().await;
    assert_eq!(count(&book, "fetched"), 64);
    assert_eq!(server.hub().len(), 1);
    raw.send(Frame::Credit { id: 1, packets: 1, bytes: 0 }).await;
    settle().await;
    assert_eq!(count(&book, "fetched"), 65);
}

/// Opens calls and cancels them, all of it in one instant.
async fn cancels(raw: &mut Raw, count: u32) {
    for id in 1..=count {
        let mut bytes = Vec::new();
        Frame::Call { id, action: id_of("HOLD"), timeout_ms: 0, payload: &[1] }.encode(&mut bytes);
        Frame::Cancel { id }.encode(&mut bytes);
        let _ = raw.io.write_all(&bytes).await;
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_cancellations_in_a_second_are_no_abuse_and_one_more_is() {
    for (sent, is_abuse) in [(200, false), (201, true)] {
        let (server, book) = server();
        let mut raw = Raw::client(&server, &Limits::default()).await;
        settle().await;
        let peer = server.hub().latest().expect("there");
        cancels(&mut raw, sent).await;
        assert_eq!(peer.is_closed(), is_abuse, "{sent}");
        if is_abuse {
            assert_eq!(raw.close_code().await, CloseCode::Abuse);
        } else {
            assert_eq!(count(&book, "hold 1 was cancelled"), 200);
            // The next second has its own.
            advance(Duration::from_secs(1)).await;
            cancels(&mut raw, 200).await;
            assert_eq!(server.hub().len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancellations_of_unknown_calls_are_ignored() {
    let (server, book) = server();
    let mut raw = Raw::client(&server, &Limits::default()).await;
    raw.call(1, &Hold { n: 1 }).await;
    for _ in 0..1_000 {
        for id in [2, 3, u32::MAX] {
            raw.send(Frame::Cancel { id }).await;
        }
    }
    settle().await;
    assert_eq!((server.hub().len(), count(&book, "cancelled")), (1, 0));
    book.open(1);
    let answered = raw.next(|frame| if let Frame::Reply { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    assert_eq!(answered, 1);
    // It is not open any more.
    raw.send(Frame::Cancel { id: 1 }).await;
    settle().await;
    assert_eq!(server.hub().len(), 1);
}

// ── Answers ──

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_timeout_is_nobodys() {
    let (mut server, client, _) = Raw::with_client(Limits::default().calls(1)).await;
    let began = Instant::now();
    let error = client.call(Divide { a: 6, b: 2 }).timeout(Duration::from_secs(3)).await;
    assert!(matches!(error, Err(CallError::TimedOut { after }) if after == began.elapsed()), "{error:?}");
    let late = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    let cancelled = server.next(|frame| if let Frame::Cancel { id } = frame { id } else { panic!("{frame:?}") }).await;
    assert_eq!(cancelled, late);
    // Until it is answered the call has its place, and there is only one.
    let mut next = Box::pin(client.call(Divide { a: 8, b: 2 }));
    settle().await;
    assert!(!poll_once(next.as_mut()).await);
    server.send(Frame::Reply { id: late, payload: &[6] }).await;
    settle().await;
    assert!(!poll_once(next.as_mut()).await);
    let id = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    assert_ne!(id, late);
    server.send(Frame::Reply { id: late, payload: &[6] }).await;
    server.send(Frame::Reply { id, payload: &[8] }).await;
    assert_eq!(next.await.expect("is answered").q, 4);
}

// ── Ends in the middle of something ──

#[tokio::test(start_paused = true)]
async fn a_stream_may_end_within_any_frame() {
    let frames = [
        Frame::Time { micros: 1_700_000_000_000_000 },
        Frame::Packet { action: id_of("NOTE"), payload: &[5] },
        Frame::Call { id: 1, action: id_of("TOUCH"), timeout_ms: 0, payload: b"" },
        Frame::Reply { id: 1, payload: &[1, 2] },
        Frame::Error { id: 1, payload: &[1, 2] },
        Frame::Failure { id: 1, code: "busy", message: "later" },
        Frame::Item { id: 1, payload: &[1, 2] },
        Frame::End { id: 1, end: StreamEnd::Done },
        Frame::Cancel { id: 1 },
        Frame::Credit { id: 0, packets: 1, bytes: 1 },
        Frame::Ping { nonce: 1 },
        Frame::Pong { nonce: 1 },
        Frame::Close(Close::new(CloseCode::Normal, "bye")),
    ];
    for frame in frames {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        for cut in 1..bytes.len() {
            let (server, book) = server();
            let mut raw = Raw::client(&server, &Limits::default()).await;
            raw.io.write_all(&bytes[..cut]).await.expect("writes");
            raw.io.shutdown().await.expect("ends");
            assert_eq!(raw.close_code().await, CloseCode::Lost, "{frame:?}");
            let lines = book.after(1).await;
            let expected = "left: lost (the peer ended its stream in the middle of a frame), 0 remain";
            assert_eq!(lines, [expected], "{frame:?} cut after {cut} bytes");

            let (mut raw, client, _) = Raw::with_client(&Limits::default()).await;
            let mut call = Box::pin(client.call(Touch {}));
            assert!(!poll_once(call.as_mut()).await);
            raw.io.write_all(&bytes[..cut]).await.expect("writes");
            raw.io.shutdown().await.expect("ends");
            let error = call.await.expect_err("nobody answers");
            assert!(matches!(error, CallError::Disconnected { .. }), "{frame:?}: {error:?}");
            assert_eq!(client.closed().await.code(), CloseCode::Lost);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_may_close_at_once_in_both_dialects() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let (server, book) = server();
        let builder = net::connect(TalkClient, Book::default()).dialect(dialect);
        let client = server.connect_with(builder).await.expect("connects");
        let peer = server.hub().latest().expect("there");
        let mut held = Box::pin(client.call(Hold { n: 1 }));
        assert!(!poll_once(held.as_mut()).await);
        book.line("hold 1 begins").await;
        let (here, there) = (client.clone(), peer.clone());
        there.close(CloseCode::Normal, "so do I");
        let closed = timeout(Duration::from_secs(20), here.close()).await.expect("nobody waits for the other");
        assert_eq!((closed.code(), peer.closed().await.code()), (CloseCode::Normal, CloseCode::Normal));
        assert!(matches!(held.await, Err(CallError::Disconnected { .. })));
        book.line("hold 1 was cancelled").await;
        settle().await;
        assert_eq!(count(&book, "left: normal"), 1);
        assert!(server.hub().is_empty());
    }
}

// ── Time and silence ──

/// A client whose network stops to carry anything after a second.
async fn half_open(server: &MemoryServer<Talk>, dialect: Dialect) -> Client<Talk> {
    let (here, mut near) = duplex(1 << 16);
    let mut far = server.connector().open().await.expect("opens");
    tokio::spawn(async move {
        let _ = timeout(Duration::from_secs(1), copy_bidirectional(&mut near, &mut far)).await;
        // Both are kept, and neither is read.
        pending::<()>().await;
        drop((near, far));
    });
    let builder = net::connect(TalkClient, Book::default()).dialect(dialect).call_timeout(None);
    builder.over(here, PeerAddr::Memory).await.expect("connects")
}

#[tokio::test(start_paused = true)]
async fn a_half_open_peer_with_calls_in_both_directions_is_gone_after_three_heartbeats() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let (server, book) = server();
        let client = half_open(&server, dialect).await;
        let peer = server.hub().latest().expect("there");
        let mut stream = client.stream(Follow { to: 1, then: Then::Never });
        assert!(stream.next().await.expect("not the end").is_ok());
        let held = tokio::spawn(client.call(Hold { n: 1 }));
        book.line("hold 1 begins").await;
        sleep(Duration::from_secs(2)).await;
        let began = Instant::now();
        let asked = tokio::spawn({
            let peer = peer.clone();
            async move { peer.call(Ask { n: 1 }).without_timeout().await }
        });
        let mut tail = peer.stream(Tail { to: 1 });
        assert!(matches!(tail.next().await, Some(Err(CallError::Disconnected { .. }))));
        assert!(matches!(asked.await.expect("no panic"), Err(CallError::Disconnected { .. })));
        assert!(matches!(stream.next().await, Some(Err(CallError::Disconnected { .. }))));
        assert!(matches!(held.await.expect("no panic"), Err(CallError::Disconnected { .. })));
        assert_eq!(
            (client.closed().await.code(), peer.closed().await.code()),
            (CloseCode::Timeout, CloseCode::Timeout)
        );
        let took = began.elapsed();
        assert!((Duration::from_secs(42)..Duration::from_secs(47)).contains(&took), "{dialect}: {took:?}");
        for line in ["hold 1 was cancelled", "follow was cancelled"] {
            book.line(line).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_that_passes_at_once_ends_calls_by_their_time_and_nothing_else() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let (server, book) = server();
        let builder = net::connect(TalkClient, Book::default()).dialect(dialect);
        let client = server.connect_with(builder).await.expect("connects");
        let peer = server.hub().latest().expect("there");
        let mut stream = client.stream(Follow { to: 100, then: Then::Gate });
        assert!(stream.next().await.expect("not the end").is_ok());
        let timed = tokio::spawn(client.call(Hold { n: 1 }));
        let timeless = tokio::spawn(client.call(Pay { n: 2 }).without_timeout());
        book.line("hold 1 begins").await;
        book.line("pay 2 begins").await;
        advance(Duration::from_secs(3_600)).await;
        settle().await;
        assert!(matches!(timed.await.expect("no panic"), Err(CallError::TimedOut { .. })));
        book.line("hold 1 was cancelled").await;
        book.open(2);
        assert_eq!(timeless.await.expect("no panic").expect("is answered").n, 2, "{dialect}");
        for n in 2..=100 {
            assert_eq!(stream.next().await.expect("not the end").expect("an item").n, n);
        }
        assert!(stream.next().await.is_none());
        client.call(Touch {}).await.expect("lives");
        assert_eq!(peer.call(Ask { n: 1 }).await.expect("lives").n, 2);
    }
}

// ── Handlers ──

#[tokio::test(start_paused = true)]
async fn handlers_that_never_finish_keep_their_places_and_nothing_else() {
    let pair = pair().await;
    let mut calls = Vec::new();
    for n in 0..64 {
        calls.push(tokio::spawn(pair.client.call(Pay { n })));
    }
    for call in calls {
        assert!(matches!(call.await.expect("no panic"), Err(CallError::TimedOut { .. })));
    }
    assert_eq!(count(&pair.book, "begins"), 64);
    // They are marked `finish` and were not answered, so there is no place for another.
    let error = pair.client.call(Touch {}).timeout(Duration::from_secs(1)).await;
    assert!(matches!(error, Err(CallError::TimedOut { .. })), "{error:?}");
    let peer = pair.server.hub().latest().expect("there");
    assert_eq!(peer.call(Ask { n: 3 }).await.expect("the other direction is free").n, 6);
    let began = Instant::now();
    pair.server.handle().shutdown(Duration::from_secs(10)).await;
    assert!(began.elapsed() <= Duration::from_secs(10));
    settle().await;
    assert_eq!(count(&pair.book, "was cancelled"), 64, "even those end with the server");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_floods_waits_for_its_peer() {
    let (server, book) = server();
    let mut raw = Raw::client(&server, &Limits::default()).await;
    let mut payload = Vec::new();
    Flood { pushes: 1_000_000 }.encode(Flood::CODEC, &mut payload).expect("encodes");
    raw.send(Frame::Packet { action: id_of("FLOOD"), payload: &payload }).await;
    raw.call(5, &Touch {}).await;
    let mut pushes = 0;
    loop {
        let answered = raw
            .next(|frame| match frame {
                Frame::Packet { .. } => false,
                Frame::Reply { id: 5, .. } => true,
                frame => panic!("{frame:?}"),
            })
            .await;
        if answered {
            break;
        }
        pushes += 1;
    }
    assert!(pushes <= 64, "as many as there is credit for, and the call goes by");
    let peer = server.hub().latest().expect("there");
    let queued = peer.info();
    sleep(Duration::from_secs(9)).await;
    assert_eq!(peer.info().sent.packets, queued.sent.packets, "the handler waits");
    assert!(book.lines().is_empty());
    drop(raw);
    assert_eq!(peer.closed().await.code(), CloseCode::Lost);
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Burst {
    /// Panics before this item.
    at: u32,
    items: u32,
    /// Panics when it is dropped, and does not end before.
    in_drop: bool,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Nth {
    n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Well {}

protocol! { Fragile { client { Burst -> stream Nth, Well -> () } } }

struct Grenade(bool);

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(!self.0, "a handler panics while it is dropped, as the test wants");
    }
}

#[action("BURST")]
async fn burst(p: Burst, out: StreamSender<Nth>) -> Result<(), SendError> {
    let _grenade = Grenade(p.in_drop);
    for n in 0..p.items {
        assert!(n != p.at, "a handler panics before item {n}, as the test wants");
        out.send(Nth { n }).await?;
    }
    assert!(p.items != p.at, "a handler panics after its items, as the test wants");
    if p.in_drop {
        pending::<()>().await;
    }
    Ok(())
}

#[action("WELL")]
fn well(_: Well) {}

actions! { server FragileServer for Fragile: burst, well }
actions! { client FragileClient for Fragile: }

#[tokio::test(start_paused = true)]
async fn a_stream_handler_that_panics_ends_its_stream_and_nothing_else() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let server = net::serve(FragileServer, ());
        let builder = net::connect(FragileClient, ()).dialect(dialect);
        let client = server.connect_with(builder).await.expect("connects");
        // Before, between and after its items.
        for at in [0, 1, 3] {
            let mut stream = client.stream(Burst { at, items: 3, in_drop: false });
            for n in 0..at {
                assert_eq!(stream.next().await.expect("not the end").expect("an item").n, n);
            }
            let Some(Err(CallError::Failed { code, message })) = stream.next().await else { panic!("fails") };
            assert_eq!((code.as_str(), message.as_str()), (code::INTERNAL, ""), "{dialect}, {at}");
            assert!(stream.next().await.is_none());
        }
        // While it is dropped, as nobody wants the stream any more; as often as there are places, and more.
        for _ in 0..100 {
            let mut stream = client.stream(Burst { at: 9, items: 2, in_drop: true });
            for n in 0..2 {
                assert_eq!(stream.next().await.expect("not the end").expect("an item").n, n);
            }
            drop(stream);
            sleep(Duration::from_millis(100)).await;
        }
        // And when the connection ends.
        let mut stream = client.stream(Burst { at: 9, items: 1, in_drop: true });
        assert!(stream.next().await.expect("not the end").is_ok());
        client.call(Well {}).await.expect("the connection lives");
        let peer = server.hub().latest().expect("there");
        client.close().await;
        peer.closed().await;
        settle().await;
        assert!(server.hub().is_empty());
    }
}

#[test]
fn the_table_names_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("../docs/faults.md")).expect("it is there");
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`"));
    let mut named = 0;
    for row in rows {
        let (mut file, tests) = (String::new(), row.rsplit('|').nth(1).expect("four columns"));
        for name in tests.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") {
                file = std::fs::read_to_string(root.join("tests").join(name)).unwrap_or_else(|_| panic!("{name}"));
            } else {
                assert!(file.contains(&format!("fn {name}(")), "{name}");
                named += 1;
            }
        }
    }
    assert!(named > 40, "{named}");
}
