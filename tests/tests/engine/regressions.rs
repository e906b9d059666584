//! What went wrong once: each test failed before its fix.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use pnet::{
    Backoff, Bytes, CallError, Client, Limits, LinkState, Packet, Peer, Protocol, Refused, action, actions, protocol,
    transport::PeerAddr,
};
use pnet_protocol::{
    frame::{self, Frame, StreamEnd},
    handshake::{ClientHandshake, ShapePolicy},
    id::ConnectionId,
};
use pnet_tests::talk::{
    Ask, AskBack, Book, Count, Done, Echo, Hold, Note, Number, Push, Talk, TalkClient, TalkServer, Touch, Wait,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

use super::{
    net,
    support::{Handed, Raw, id_of, pair, poll_once, settle, shake, stuck},
};

#[tokio::test(start_paused = true)]
async fn a_call_times_out_while_the_peer_does_not_read() {
    let (_server, peer, _io) = stuck().await;
    let started = tokio::time::Instant::now();
    let error = peer.call(Ask { n: 1 }).timeout(Duration::from_millis(250)).await.expect_err("nobody");
    assert!(matches!(error, CallError::TimedOut { .. }), "{error:?} after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_millis(300), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn close_works_while_the_peer_does_not_read() {
    let (_server, peer, _io) = stuck().await;
    let started = tokio::time::Instant::now();
    peer.close(pnet::CloseCode::Normal, "enough");
    let closed = peer.closed().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?} {closed}", started.elapsed());
    assert_eq!(closed.reason(), "enough");
}

#[tokio::test(start_paused = true)]
async fn shutdown_works_while_the_peer_does_not_read() {
    let (server, peer, _io) = stuck().await;
    let done = server.handle().shutdown(Duration::from_secs(2)).await;
    let at = tokio::time::Instant::now();
    let closed = peer.closed().await;
    assert!(at.elapsed() < Duration::from_secs(1), "{:?} later: {closed}; {done:?}", at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_while_it_is_parked_blocks_nothing() {
    let pair = pair().await;
    let mut calls: Vec<_> = (0..64).map(|n| Box::pin(pair.client.call(Hold { n }).without_timeout())).collect();
    for call in &mut calls {
        assert!(!poll_once(call.as_mut()).await);
    }
    pair.book.after(64).await;
    let mut parked = Box::pin(pair.client.call(Touch {}).without_timeout());
    assert!(!poll_once(parked.as_mut()).await);
    settle().await;
    drop(parked);
    pair.client.send(Note { n: 7 }).await.expect("is sent");
    let line = tokio::time::timeout(Duration::from_secs(100), pair.book.line("note 7")).await;
    assert!(line.is_ok(), "the note never arrives");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_inbox_gives_its_credit_back() {
    let server = net::serve(TalkServer, Book::default());
    let (client, inbox) = server.connect_inbox().await.expect("connects");
    client.call(Touch {}).await.expect("ok");
    let peer = server.hub().peers().pop().expect("there");
    for n in 0..64 {
        peer.send(Push { n }).await.expect("is sent");
    }
    settle().await;
    drop(inbox);
    for n in 0..1_200 {
        let sent = tokio::time::timeout(Duration::from_secs(60), peer.send(Push { n })).await;
        assert!(sent.is_ok(), "stuck at {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_inbox_answers_its_calls() {
    let server = net::serve(TalkServer, Book::default());
    let (client, inbox) = server.connect_inbox().await.expect("connects");
    client.call(Touch {}).await.expect("ok");
    let peer = server.hub().peers().pop().expect("there");
    let call = tokio::spawn(peer.call(Ask { n: 1 }).without_timeout());
    settle().await;
    drop(inbox);
    let answer = tokio::time::timeout(Duration::from_secs(100), call).await;
    assert!(answer.is_ok(), "a call in a dropped inbox is never answered");
}

#[test]
fn handles_learn_that_their_connections_runtime_is_gone() {
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (server, client) = other.block_on(async {
        let server = net::serve(TalkServer, Book::default());
        let client = server.connect(TalkClient, Book::default()).await.unwrap();
        client.call(Touch {}).await.unwrap();
        (server, client)
    });
    drop(other);
    let here = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    here.block_on(async {
        let closed = tokio::time::timeout(Duration::from_secs(100), client.closed()).await;
        assert!(closed.is_ok(), "closed() waits for ever");
        let call = tokio::time::timeout(Duration::from_secs(100), client.call(Touch {})).await;
        assert!(call.is_ok(), "call waits for ever");
    });
    drop(server);
}

#[derive(Debug, Packet, Deserialize)]
struct Bomb {
    #[serde(deserialize_with = "explode")]
    n: u32,
}
impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut x = s.serialize_struct("Bomb", 1)?;
        x.serialize_field("n", &self.n)?;
        x.end()
    }
}
static ARMED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
fn explode<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    let n = u32::deserialize(d)?;
    assert!(!ARMED.load(std::sync::atomic::Ordering::Relaxed), "unlucky, as the test wants");
    Ok(n)
}
#[derive(Debug, Packet, Serialize, Deserialize)]
struct Hi {}
protocol! { Mines { client { Hi -> () } server { Bomb } } }
#[action("HI")]
fn hi(_: Hi) {}
actions! { server MinesServer(u8) for Mines: hi }

#[tokio::test(start_paused = true)]
async fn a_panic_in_deserialize_ends_no_inbox() {
    let server = net::serve(MinesServer, 0_u8);
    let (client, mut inbox) = server.connect_inbox().await.expect("connects");
    client.call(Hi {}).await.unwrap();
    let peer = server.hub().peers().pop().unwrap();
    peer.send(Bomb { n: 1 }).await.unwrap();
    assert!(inbox.recv().await.is_some());
    peer.send(Bomb { n: 13 }).await.unwrap();
    ARMED.store(true, std::sync::atomic::Ordering::Relaxed);
    settle().await;
    let call = tokio::time::timeout(Duration::from_secs(100), client.call(Hi {})).await;
    assert!(call.is_ok(), "call waits for ever");
}

/// Panics when it is dropped.
struct Drops;
impl Drop for Drops {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a drop panics, as the test wants");
    }
}
#[action(connect)]
async fn enter(gate: &tokio::sync::Semaphore) -> Drops {
    if gate.available_permits() > 0 {
        return Drops;
    }
    let drops = Drops;
    std::future::pending::<()>().await;
    drops
}
actions! { server DropServer(tokio::sync::Semaphore) for Mines(Drops): enter, hi2 }
#[action("HI")]
fn hi2(_: Hi) {}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_dropped_connect_handler_leaks_no_place() {
    let server = net::builder(DropServer, tokio::sync::Semaphore::new(0)).max_connections(1).in_memory();
    {
        let io = server.connector().open().await.unwrap();
        let connecting = net::connect_inbox::<Mines>().over(io, PeerAddr::Memory);
        let _ = tokio::time::timeout(Duration::from_secs(1), connecting).await.expect_err("waits");
    }
    settle().await;
    let mut io = server.connector().open().await.unwrap();
    let mut out = Vec::new();
    let _m = ClientHandshake::new(Mines::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    io.write_all(&out).await.unwrap();
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("too many"), "the place leaked");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_dropped_member_leaks_no_place() {
    let server = net::builder(DropServer, tokio::sync::Semaphore::new(9)).max_connections(1).in_memory();
    let (client, _inbox) = server.connect_inbox().await.unwrap();
    client.close().await;
    settle().await;
    let second = server.connect_inbox().await;
    assert!(second.is_ok(), "{:?}", second.err());
}

struct Endless {
    io: DuplexStream,
    flood: Arc<std::sync::atomic::AtomicBool>,
}
impl AsyncRead for Endless {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.flood.load(std::sync::atomic::Ordering::Relaxed) {
            let mut bytes = Vec::new();
            Frame::Time { micros: 1 }.encode(&mut bytes);
            if buf.remaining() >= bytes.len() {
                buf.put_slice(&bytes);
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.io).poll_read(task, buf)
    }
}
impl AsyncWrite for Endless {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(task, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_stops_does_not_stop_the_clock() {
    let server = net::serve(TalkServer, Book::default());
    let flood = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let io = Endless { io: server.connector().open().await.unwrap(), flood: Arc::clone(&flood) };
    let client: Client<Talk> = net::connect(TalkClient, Book::default()).over(io, PeerAddr::Memory).await.unwrap();
    let call = tokio::spawn(client.call(Hold { n: 1 }).timeout(Duration::from_millis(100)));
    settle().await;
    flood.store(true, std::sync::atomic::Ordering::Relaxed);
    client.send(Note { n: 1 }).await.unwrap();
    settle().await;
    tokio::time::advance(Duration::from_secs(5)).await;
    settle().await;
    let over = call.is_finished();
    flood.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(over, "the call's time is over since 4.9 s");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_cancellations_is_abuse() {
    let book = Arc::new(Book::default());
    let server = net::serve(TalkServer, Arc::clone(&book));
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    let mut bytes = Vec::new();
    for id in 1..=20_000 {
        bytes.clear();
        Frame::Call { id, action: id_of("HOLD"), timeout_ms: 0, payload: &[1] }.encode(&mut bytes);
        Frame::Cancel { id }.encode(&mut bytes);
        if io.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let peer = server.hub().peers().pop();
    let code = match peer {
        Some(peer) => peer.closed().await.code(),
        None => return,
    };
    assert_eq!(code, pnet::CloseCode::Abuse);
}

#[tokio::test(start_paused = true)]
async fn the_longest_grace_works() {
    let book = Arc::new(Book::default());
    let server = net::builder(TalkServer, Arc::clone(&book)).grace(Duration::MAX).in_memory();
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    io.shutdown().await.unwrap();
    let left = tokio::time::timeout(Duration::from_secs(100), book.after(1)).await;
    assert!(left.is_ok(), "the disconnect handler never runs");
}
#[tokio::test(start_paused = true)]
async fn the_longest_handshake_of_a_server_works() {
    let server = net::builder(TalkServer, Book::default()).handshake_timeout(Duration::MAX).in_memory();
    server.connect(TalkClient, Book::default()).await.expect("connects");
}
#[tokio::test(start_paused = true)]
async fn the_longest_handshake_of_a_client_works() {
    let server = net::builder(TalkServer, Book::default()).in_memory();
    let builder = net::connect(TalkClient, Book::default()).handshake_timeout(Duration::MAX);
    server.connect_with(builder).await.expect("connects");
}
#[tokio::test(start_paused = true)]
async fn the_longest_shutdown_works() {
    let server = net::builder(TalkServer, Book::default()).in_memory::<Talk>();
    server.handle().shutdown(Duration::MAX).await;
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Greeting {
    text: String,
}
protocol! { Chatty { client { Hi -> () } server { Greeting } } }
#[action(connect)]
async fn greet(peer: Peer<Chatty>) {
    peer.send(Greeting { text: "x".repeat(500) }).await.unwrap();
    tokio::task::yield_now().await;
}
#[action("HI")]
fn hi3(_: Hi) {}
actions! { server ChattyServer(u8) for Chatty: greet, hi3 }

#[tokio::test(start_paused = true)]
async fn a_connect_handler_speaks_over_a_narrow_pipe() {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let _server = net::builder(ChattyServer, 0_u8).listen(Handed(receiver));
    let (here, there) = duplex(1);
    sender.send(there).await.unwrap();
    let (client, mut inbox) = net::connect_inbox::<Chatty>().over(here, PeerAddr::Memory).await.expect("connects");
    assert!(inbox.recv().await.is_some());
    client.call(Hi {}).await.expect("answered");
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_a_close_frame() {
    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    let mut bytes = Vec::new();
    Frame::Ping { nonce: 1 }.encode(&mut bytes);
    bytes.extend([1, 0, 0, 0, 0xee]);
    io.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.unwrap();
    let mut names = Vec::new();
    let mut rest = &answer[..];
    while let Some((frame, used)) = frame::decode(rest, 1 << 20).unwrap() {
        names.push(frame.name());
        rest = &rest[used..];
    }
    assert_eq!(names.last(), Some(&"CLOSE"), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_frame_cut_off_is_named() {
    let book = Arc::new(Book::default());
    let server = net::serve(TalkServer, Arc::clone(&book));
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    io.write_all(&200_000_u32.to_le_bytes()).await.unwrap();
    io.write_all(&[0x11]).await.unwrap();
    io.write_all(&[0; 50_000]).await.unwrap();
    settle().await;
    drop(io);
    let lines = book.after(1).await;
    assert!(lines[0].contains("middle of a frame"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn run_ends_with_its_listener() {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let server = net::builder(TalkServer, Book::default()).listen(Handed(receiver));
    drop(sender);
    assert!(tokio::time::timeout(Duration::from_secs(100), server.run()).await.is_ok(), "run() never ends");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_still_answers_what_its_own_calls_need() {
    let pair = pair().await;
    pair.client.send(Wait { n: 1 }).await.unwrap();
    let call = tokio::spawn(pair.client.call(AskBack { n: 4 }));
    pair.book.line("wait 1 begins").await;
    settle().await;
    drop(pair.client);
    settle().await;
    pair.book.open(1);
    assert_eq!(call.await.unwrap().expect("is answered"), Done { n: 8 });
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Spin {}
protocol! { Spinning { client { Spin -> () } } }
struct Yield(bool);
impl Future for Yield {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}
#[action("SPIN", finish)]
async fn spin(_: Spin, book: &Book) {
    book.write("begins");
    let mut turns = 0_u32;
    while book.gate.available_permits() == 0 && turns < 1_000_000 {
        Yield(false).await;
        turns += 1;
    }
    book.write(if turns < 1_000_000 { "saw the gate" } else { "starved everybody" });
}
actions! { server SpinServer(Book) for Spinning: spin }
#[tokio::test(start_paused = true)]
async fn a_finish_handler_that_wakes_itself_starves_nobody() {
    let book = Arc::new(Book::default());
    let server = net::serve(SpinServer, Arc::clone(&book));
    let (client, _inbox) = server.connect_inbox().await.unwrap();
    let mut call = Box::pin(client.call(Spin {}));
    assert!(!poll_once(call.as_mut()).await);
    book.after(1).await;
    let peer = server.hub().peers().pop().unwrap();
    peer.close(pnet::CloseCode::Normal, "x");
    peer.closed().await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    book.open(1);
    let lines = book.after(2).await;
    assert_eq!(lines[1], "saw the gate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn credit_from_an_inbox_on_another_thread_is_not_lost() {
    let server = net::serve(TalkServer, Book::default());
    let builder = net::connect_inbox().limits(*Limits::default().packets(1));
    let (client, mut inbox) = server.connect_inbox_with(builder).await.unwrap();
    client.call(Touch {}).await.unwrap();
    let peer = server.hub().peers().pop().unwrap();
    let sender = tokio::spawn(async move {
        for n in 0..200_000 {
            if peer.send(Push { n }).await.is_err() {
                return;
            }
        }
    });
    let started = std::time::Instant::now();
    let mut n = 0;
    while started.elapsed() < Duration::from_millis(1_000) && n < 200_000 {
        let Ok(packet) = tokio::time::timeout(Duration::from_millis(1_000), inbox.recv()).await else {
            panic!("stalled after {n} packets")
        };
        assert!(packet.is_some());
        n += 1;
    }
    sender.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_close_from_another_thread_is_not_lost() {
    let server = net::serve(TalkServer, Book::default());
    let started = std::time::Instant::now();
    let mut n = 0;
    while started.elapsed() < Duration::from_millis(1_000) {
        let client = server.connect(TalkClient, Book::default()).await.unwrap();
        client.call(Touch {}).await.unwrap();
        let peer = server.hub().get(client.id()).unwrap();
        let noise = tokio::spawn({
            let client = client.clone();
            async move {
                while client.call(Touch {}).await.is_ok() {
                    if client.is_closed() {
                        break;
                    }
                }
            }
        });
        for _ in 0..n % 50 {
            std::hint::spin_loop();
        }
        noise.abort();
        peer.close(pnet::CloseCode::Normal, "x");
        assert!(
            tokio::time::timeout(Duration::from_secs(1), peer.closed()).await.is_ok(),
            "close was lost in round {n}"
        );
        n += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn a_freed_slot_wakes_who_waits_for_one() {
    let book = Arc::new(Book::default());
    let server = net::builder(TalkServer, Arc::clone(&book)).limits(*Limits::default().calls(5_000)).in_memory();
    let client = server.connect(TalkClient, Book::default()).await.unwrap();
    let mut calls: Vec<_> = (0..4_096).map(|n| Box::pin(client.call(Hold { n }).without_timeout())).collect();
    for (n, call) in calls.iter_mut().enumerate() {
        assert!(!poll_once(call.as_mut()).await);
        if n % 100 == 0 {
            settle().await;
        }
    }
    book.after(4_096).await;
    let late = tokio::spawn(client.call(Touch {}).without_timeout());
    settle().await;
    book.open(4_096);
    book.after(8_192).await;
    for _ in 0..100 {
        settle().await;
    }
    for call in calls {
        call.await.unwrap();
    }
    assert!(tokio::time::timeout(Duration::from_secs(100), late).await.is_ok(), "nobody tells the 4,097th call");
}

#[tokio::test(start_paused = true)]
async fn an_early_client_is_not_welcomed_before_the_connect_handler() {
    let server = net::builder(DropServer, tokio::sync::Semaphore::new(0)).in_memory::<Mines>();
    let mut io = server.connector().open().await.unwrap();
    let mut out = Vec::new();
    let _m = ClientHandshake::new(Mines::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    Frame::Call { id: 1, action: 99, timeout_ms: 0, payload: b"" }.encode(&mut out);
    io.write_all(&out).await.unwrap();
    let mut answer = vec![0; 1000];
    let read = tokio::time::timeout(Duration::from_secs(1), io.read(&mut answer)).await;
    assert!(read.is_err(), "{:?}", frame::decode(&answer[4..], 1 << 20).unwrap().map(|(f, _)| f.name()));
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_room_learn_of_the_peers_end() {
    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    settle().await;
    let peer = server.hub().peers().pop().expect("there");
    while peer.try_send(Push { n: 1 }).is_ok() {}
    settle().await;
    while peer.try_send(Push { n: 1 }).is_ok() {}
    let call = tokio::spawn(peer.call(Ask { n: 1 }).without_timeout());
    settle().await;
    let started = tokio::time::Instant::now();
    io.shutdown().await.unwrap();
    let error = call.await.unwrap().expect_err("nobody answers");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?} {error:?}", started.elapsed());
}

#[tokio::test]
async fn close_returns_when_the_close_frame_is_written() {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let book = Arc::new(Book::default());
    let _server = net::builder(TalkServer, Arc::clone(&book)).listen(Handed(receiver));
    let (here, there) = duplex(4);
    sender.send(there).await.unwrap();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client: Client<Talk> =
                net::connect(TalkClient, Book::default()).over(here, PeerAddr::Memory).await.unwrap();
            client.call(Touch {}).await.unwrap();
            client.close().await;
        });
    });
    let lines = book.after(1).await;
    other.join().unwrap();
    assert!(lines[0].starts_with("left: normal"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn large_packets_that_wait_for_room_all_arrive() {
    let pair = pair().await;
    let peer = pair.server.hub().peers().pop().expect("there");
    let _ = peer;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let client = pair.client.clone();
        tasks.push(tokio::spawn(async move {
            let data = Bytes::from(vec![1; 900_000]);
            client.call(Echo { data }).without_timeout().await.map(drop)
        }));
    }
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task).await.expect("in time").unwrap().expect("ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_that_come_while_the_stream_is_polled_are_not_lost() {
    let (mut server, client, _) = Raw::with_client(&Limits::default()).await;
    let serving = tokio::spawn(async move {
        let mut payload = Vec::new();
        Number { n: 7 }.encode(Number::CODEC, &mut payload).expect("encodes");
        for _ in 0..ROUNDS {
            let id = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { 0 }).await;
            let mut bytes = Vec::new();
            Frame::Item { id, payload: &payload }.encode(&mut bytes);
            Frame::End { id, end: StreamEnd::Done }.encode(&mut bytes);
            server.io.write_all(&bytes).await.expect("memory writes");
        }
    });
    for round in 0..ROUNDS {
        let mut stream = client.stream(Count { to: 1 });
        let mut items = 0;
        // Polled all the time, so that what comes finds it at every point.
        while let Some(item) = poll_busily(stream.next()).await {
            assert_eq!(item.expect("an item").n, 7);
            items += 1;
        }
        assert_eq!(items, 1, "in round {round}");
    }
    serving.await.expect("no panic");
}

const ROUNDS: u32 = 3_000;

async fn poll_busily<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        for _ in 0..1_000 {
            let mut polled = Poll::Pending;
            std::future::poll_fn(|task| {
                polled = future.as_mut().poll(task);
                Poll::Ready(())
            })
            .await;
            if let Poll::Ready(output) = polled {
                return output;
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_may_give_each_connection_the_same_name() {
    let (ends, mut accepted) = tokio::sync::mpsc::channel(1);
    let serving = tokio::spawn(async move {
        let id = ConnectionId::random();
        let lost = Raw::server_as(id, accepted.recv().await.expect("comes"), &Limits::default()).await;
        settle().await;
        drop(lost);
        let mut raw = Raw::server_as(id, accepted.recv().await.expect("comes back"), &Limits::default()).await;
        let id = raw.next(|frame| if let Frame::Call { id, .. } = frame { id } else { 0 }).await;
        raw.send(Frame::Reply { id, payload: &[] }).await;
        raw
    });
    let client = pnet::connect(TalkClient, Book::default()).reconnect(Backoff::default());
    let client: Client<Talk> = client.via(Ends(ends)).await.expect("connects");
    let mut states = client.states();
    states.wait_for(|state| matches!(state, LinkState::Waiting { .. })).await.expect("is lost");
    client.call(Touch {}).await.expect("is made on the second connection");
    serving.await.expect("no panic");
}

/// Hands the other end of each transport to a raw server.
struct Ends(tokio::sync::mpsc::Sender<DuplexStream>);

impl pnet::transport::Connect for Ends {
    type Io = DuplexStream;

    async fn connect(&self) -> io::Result<(DuplexStream, PeerAddr)> {
        let (here, there) = duplex(1 << 16);
        self.0.send(there).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok((here, PeerAddr::Memory))
    }
}

#[tokio::test(start_paused = true)]
async fn cancellations_that_wait_do_not_follow_the_last_words() {
    let (mut raw, client, _) = Raw::with_client(Limits::default().calls(1_000)).await;
    let mut calls: Vec<_> = (0..150).map(|n| Box::pin(client.call(Hold { n }))).collect();
    for call in &mut calls {
        assert!(!poll_once(call.as_mut()).await);
    }
    drop(calls);
    settle().await;
    // The server does not read for a while, so that the close frame has to wait.
    let mut long = Box::pin(client.call(Echo { data: Bytes::from(vec![0; 200_000]) }));
    assert!(!poll_once(long.as_mut()).await);
    drop(long);
    settle().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    raw.send(Frame::Credit { id: 0, packets: u32::MAX, bytes: 0 }).await;
    client.closed().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut names = Vec::new();
    while let Some(name) = raw.any(|frame| frame.name()).await {
        names.push(name);
    }
    assert_eq!(names.last(), Some(&"CLOSE"), "{names:?}");
}

protocol! { Doorbell { client { Touch -> () } server { Push } } }

#[action(connect)]
async fn ring(peer: Peer<Doorbell>) -> Result<(), Refused> {
    peer.ping().await.map(drop).map_err(|closed| Refused::new(closed.to_string()))
}

#[action("TOUCH")]
fn touched(_: Touch) {}

#[action("PUSH")]
fn pushed(_: Push) {}

actions! { server Door for Doorbell: ring, touched }
actions! { client Visitor for Doorbell: pushed }

#[tokio::test(start_paused = true)]
async fn a_connect_handler_may_measure_the_round_trip() {
    let server = net::serve(Door, ());
    let client = server.connect(Visitor, ()).await.expect("is let in");
    client.call(Touch {}).await.expect("is answered");
}
