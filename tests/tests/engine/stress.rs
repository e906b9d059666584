//! The edges: pipes of one byte, limits of one, ends that meet, handles on many threads, user code that panics where
//! nobody looks for it.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use pnet::{
    Bytes, CallError, Client, CloseCode, ConnectError, Failure, Limits, Packet, Peer, Protocol, Refused, SendError,
    action, actions, code,
    memory::MemoryServer,
    protocol,
    transport::{Listener, PeerAddr},
};
use pnet_protocol::{
    frame::{self, Frame},
    handshake::{ClientHandshake, ServerHandshake, ServerStep, ShapePolicy},
    id::{ConnectionId, SessionToken},
};
use pnet_tests::talk::{
    Ask, AskBack, Book, Consult, Divide, Done, Echo, Hold, Note, Push, Quotient, Read, Talk, TalkClient,
    TalkFromServer, TalkServer, Told, Touch, Wait,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
};

use super::support::pair;

/// Gives a server the transports that a test makes.
struct Handed(mpsc::Receiver<DuplexStream>);

impl Listener for Handed {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, PeerAddr)> {
        let io = self.0.recv().await.ok_or(std::io::ErrorKind::NotConnected)?;
        Ok((io, PeerAddr::Memory))
    }

    fn local_addr(&self) {}
}

/// Polls once; whether it is ready.
async fn poll_once(mut future: Pin<&mut impl Future>) -> bool {
    poll_fn(|task| Poll::Ready(future.as_mut().poll(task).is_ready())).await
}

/// Lets every other task go as far as it can.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

// ── Narrow pipes and small limits ──

#[tokio::test(start_paused = true)]
async fn everything_fits_through_a_pipe_of_one_byte() {
    for width in [1, 2, 7] {
        let (sender, receiver) = mpsc::channel(1);
        let (book, ui) = (Arc::new(Book::default()), Arc::new(Book::default()));
        let server = pnet::serve(TalkServer, Arc::clone(&book)).listen(Handed(receiver));
        let (here, there) = duplex(width);
        sender.send(there).await.expect("the server accepts");
        let builder = pnet::connect(TalkClient, Arc::clone(&ui));
        let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("connects");
        let peer = server.hub().peers().pop().expect("the client is there");
        for n in 1..100 {
            client.send(Note { n }).await.expect("is sent");
            peer.send(Push { n }).await.expect("is sent");
        }
        let data = vec![7; 3_000];
        let (echoed, told, back) = tokio::join!(
            client.call(Echo { data: Bytes::from(data.clone()) }),
            peer.call(Ask { n: 4 }),
            client.call(AskBack { n: 5 }),
        );
        assert_eq!(&*echoed.expect("is answered").data, &data[..]);
        assert_eq!((told.expect("is answered").n, back.expect("is answered").n), (8, 10));
        let read = client.call(Read {}).await.expect("is answered").lines;
        assert!(read.into_iter().eq((1..100).map(|n| format!("note {n}"))));
        let closed = client.close().await;
        assert_eq!(closed.code(), CloseCode::Normal);
        book.line("left: normal (), 0 remain").await;
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_one_slow_both_sides_down_and_stop_neither() {
    let limits = *Limits::default().calls(1).packets(1).packet_bytes(1);
    let (book, ui) = (Arc::new(Book::default()), Arc::new(Book::default()));
    let server = pnet::serve(TalkServer, Arc::clone(&book)).limits(limits).in_memory();
    let builder = pnet::connect(TalkClient, Arc::clone(&ui)).limits(limits);
    let client = server.connect_with(builder).await.expect("memory connects");
    let peer = server.hub().peers().pop().expect("the client is there");
    let calls: Vec<_> = (0..50).map(|n| tokio::spawn(client.call(AskBack { n }))).collect();
    for n in 1..200 {
        client.send(Note { n }).await.expect("is sent");
        peer.send(Push { n }).await.expect("is sent");
    }
    client.send(Consult { n: 1 }).await.expect("is sent");
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.await.expect("no panic").expect("is answered"), Done { n: n * 2 });
    }
    book.line("consult 1 was told 2").await;
    let notes: Vec<String> = book.lines().into_iter().filter(|line| line.starts_with("note")).collect();
    assert!(notes.into_iter().eq((1..200).map(|n| format!("note {n}"))));
    let pushes: Vec<String> = ui.lines().into_iter().filter(|line| line.starts_with("push")).collect();
    assert!(pushes.into_iter().eq((1..200).map(|n| format!("push {n}"))));
}

#[tokio::test(start_paused = true)]
async fn the_largest_limits_cost_nothing_until_they_are_used() {
    let most = (1 << 31) - 1;
    let limits = *Limits::default().max_frame_len(most).calls(most).packets(most).packet_bytes(most);
    let server = pnet::serve(TalkServer, Book::default()).limits(limits).in_memory();
    let builder = pnet::connect(TalkClient, Book::default()).limits(limits);
    let client = server.connect_with(builder).await.expect("memory connects");
    let (narrow, mut inbox) = server.connect_inbox_with(pnet::connect_inbox().limits(limits)).await.expect("connects");
    for n in 1..300 {
        client.send(Note { n }).await.expect("is sent");
    }
    assert_eq!(client.call(Read {}).await.expect("is answered").lines.len(), 299);
    assert_eq!(client.call(AskBack { n: 3 }).await.expect("is answered"), Done { n: 6 });
    narrow.call(Touch {}).await.expect("is answered");
    assert_eq!(server.hub().broadcast(&Push { n: 5 }).queued, 2);
    assert!(matches!(inbox.recv().await, Some(TalkFromServer::Push(Push { n: 5 }))));
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Load<'a> {
    #[serde(borrow)]
    bytes: Bytes<'a>,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Weigh<'a> {
    #[serde(borrow)]
    bytes: Bytes<'a>,
}

#[derive(Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
struct Weight {
    of_loads: u32,
    of_this: u32,
}

protocol! { Scales { client { Load<'_>, Weigh<'_> -> Weight } } }

#[action("LOAD")]
fn load(p: Load<'_>, sum: &AtomicU32) {
    sum.fetch_add(u32::try_from(p.bytes.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
}

#[action("WEIGH")]
fn weigh(p: Weigh<'_>, sum: &AtomicU32) -> Weight {
    Weight { of_loads: sum.load(Ordering::Relaxed), of_this: u32::try_from(p.bytes.len()).unwrap_or(u32::MAX) }
}

actions! { server ScalesServer(AtomicU32) for Scales: load, weigh }

#[tokio::test(start_paused = true)]
async fn a_frame_of_exactly_the_limit_travels_and_one_byte_more_does_not() {
    let limits = *Limits::default().max_frame_len(4_096);
    let server = pnet::serve(ScalesServer, AtomicU32::new(0)).limits(limits).in_memory();
    let (client, _inbox) = server.connect_inbox().await.expect("memory connects");
    // Kind, action and the length of the bytes; a call has its id and its timeout, too.
    let (packet, call) = (4_096 - 1 - 2 - 2, 4_096 - 1 - 4 - 2 - 4 - 2);
    let bytes = |len| Bytes::from(vec![1; len]);
    client.send(Load { bytes: bytes(packet) }).await.expect("fits");
    let weight = client.call(Weigh { bytes: bytes(call) }).await.expect("fits");
    assert_eq!((weight.of_loads as usize, weight.of_this as usize), (packet, call));
    let error = client.send(Load { bytes: bytes(packet + 1) }).await.expect_err("does not fit");
    assert!(matches!(error, SendError::TooLong { len: 4_097, max: 4_096 }), "{error:?}");
    let error = client.call(Weigh { bytes: bytes(call + 1) }).await.expect_err("does not fit");
    assert!(matches!(error, CallError::TooLong { len: 4_097, max: 4_096 }), "{error:?}");
}

// ── Ends ──

#[tokio::test(start_paused = true)]
async fn both_sides_may_close_at_once() {
    for first in [true, false] {
        let pair = pair().await;
        pair.client.call(Touch {}).await.expect("is answered");
        let peer = pair.server.hub().peers().pop().expect("the client is there");
        let closing = tokio::spawn({
            let client = pair.client.clone();
            async move { client.close().await }
        });
        if first {
            tokio::task::yield_now().await;
        }
        peer.close("me too");
        closing.await.expect("no panic");
        let closed = peer.closed().await;
        assert_eq!(closed.code(), CloseCode::Normal);
        let lines = pair.book.after(1).await;
        settle().await;
        assert_eq!(pair.book.lines().len(), 1, "the disconnect handler runs once: {lines:?}");
        assert!(pair.server.hub().is_empty());
    }
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Knock {}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Ready {}

protocol! {
    /// A server that takes its time.
    Door {
        client { Knock -> () }
        server { Ready }
    }
}

#[action(connect)]
async fn open_slowly(book: &Book, peer: Peer<Door>) -> Result<(), Refused> {
    book.write("somebody comes");
    if book.gate.available_permits() > 1 {
        peer.send(Ready {}).await.map_err(|error| error.to_string())?;
    }
    book.gate.acquire().await.map_err(|error| error.to_string())?.forget();
    book.write("is let in");
    Ok(())
}

#[action(disconnect)]
fn close_door(book: &Book) {
    book.write("has left");
}

#[action("KNOCK")]
fn knock(_: Knock, book: &Book) {
    book.write("knocks");
}

actions! { server DoorServer(Book) for Door: open_slowly, close_door, knock }

fn door() -> (MemoryServer<Door>, Arc<Book>) {
    let book = Arc::new(Book::default());
    (pnet::memory::serve(DoorServer, Arc::clone(&book)), book)
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_that_never_ends_is_given_up() {
    let (server, book) = door();
    let started = tokio::time::Instant::now();
    let builder = pnet::connect_inbox().handshake_timeout(Duration::from_secs(60));
    let error = server.connect_inbox_with(builder).await.expect_err("nobody opens");
    let ConnectError::Refused(closed) = error else { panic!("{error:?}") };
    assert_eq!(closed.code(), CloseCode::HandshakeTimeout);
    assert!((5_000..5_100).contains(&started.elapsed().as_millis()));
    book.open(1);
    settle().await;
    assert_eq!(book.lines(), ["somebody comes"], "it was dropped, and who was not let in does not leave");
    assert!(server.hub().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_while_the_connect_handler_runs_is_forgotten() {
    let (server, book) = door();
    let connecting = tokio::spawn({
        let io = server.connector().open().await.expect("memory connects");
        async move { pnet::connect_inbox::<Door>().over(io, PeerAddr::Memory).await }
    });
    book.after(1).await;
    connecting.abort();
    settle().await;
    book.open(1);
    settle().await;
    assert_eq!(book.lines(), ["somebody comes"]);
    let (client, _inbox) = server.connect_inbox().await.expect("the next one is let in");
    client.call(Knock {}).await.expect("is answered");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_connections_whose_connect_handler_runs() {
    let (server, book) = door();
    let connecting = tokio::spawn({
        let io = server.connector().open().await.expect("memory connects");
        async move { pnet::connect_inbox::<Door>().over(io, PeerAddr::Memory).await }
    });
    book.after(1).await;
    let started = tokio::time::Instant::now();
    let done = server.shutdown(Duration::from_secs(3)).await;
    assert_eq!((done.finished, done.cut_off), (1, 0));
    assert!(started.elapsed() < Duration::from_secs(2));
    let error = connecting.await.expect("no panic").expect_err("the server goes away");
    let ConnectError::Refused(closed) = error else { panic!("{error:?}") };
    assert_eq!(closed.code(), CloseCode::GoingAway);
    assert_eq!(book.lines(), ["somebody comes"]);
}

#[tokio::test(start_paused = true)]
async fn calls_made_while_the_connect_handler_runs_wait_for_it() {
    let (server, book) = door();
    book.open(2);
    let hub = server.hub();
    let (client, mut inbox) = server.connect_inbox().await.expect("is greeted");
    assert!(matches!(inbox.recv().await, Some(DoorFromServer::Ready(Ready {}))));
    client.call(Knock {}).await.expect("is answered");
    assert_eq!(book.lines(), ["somebody comes", "is let in", "knocks"]);
    assert_eq!(hub.len(), 1);
    drop(client);
    book.line("has left").await;
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_may_be_dropped_outside_of_any_runtime() {
    let pair = pair().await;
    pair.client.call(Touch {}).await.expect("is answered");
    let client = pair.client;
    std::thread::spawn(move || drop(client)).join().expect("no panic");
    pair.book.line("left: normal (the last client handle was dropped), 0 remain").await;
}

#[tokio::test(start_paused = true)]
async fn answers_given_after_the_end_go_nowhere() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    client.call(Touch {}).await.expect("is answered");
    let peer = server.hub().peers().pop().expect("the client is there");
    let calls: Vec<_> = (0..3).map(|n| tokio::spawn(peer.call(Ask { n }))).collect();
    let mut responders = Vec::new();
    for _ in 0..3 {
        let Some(TalkFromServer::Ask(_, responder)) = inbox.recv().await else { panic!("a call is due") };
        responders.push(responder);
    }
    peer.close("too late");
    for call in calls {
        let error = call.await.expect("no panic").expect_err("the connection is gone");
        assert!(matches!(error, CallError::Disconnected { sent: true, .. }), "{error:?}");
    }
    responders.pop().expect("three").reply(Told { n: 1 });
    drop(responders);
    assert!(inbox.recv().await.is_none());
}

// ── Calls ──

#[tokio::test(start_paused = true)]
async fn timeouts_may_be_nothing_and_endless() {
    let pair = pair().await;
    let error = pair.client.call(Hold { n: 1 }).timeout(Duration::ZERO).await.expect_err("nobody is that fast");
    assert!(matches!(error, CallError::TimedOut { after: Duration::ZERO }), "{error:?}");
    let call = tokio::spawn(pair.client.call(Hold { n: 2 }).timeout(Duration::MAX));
    pair.book.line("hold 2 begins").await;
    tokio::time::advance(Duration::from_secs(1 << 30)).await;
    pair.book.open(1);
    assert_eq!(call.await.expect("no panic").expect("is answered").n, 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_and_a_packet_may_move_between_tasks_while_they_wait() {
    let pair = pair().await;
    let mut call = Box::pin(pair.client.call(Hold { n: 1 }));
    assert!(!poll_once(call.as_mut()).await);
    pair.book.line("hold 1 begins").await;
    let call = tokio::spawn(call);
    settle().await;
    pair.book.open(1);
    assert_eq!(call.await.expect("no panic").expect("is answered").n, 1);
    pair.client.send(Wait { n: 2 }).await.expect("is sent");
    while pair.client.try_send(Note { n: 0 }).is_ok() {
        tokio::task::yield_now().await;
    }
    let mut sending = Box::pin(pair.client.send(Note { n: 3 }));
    assert!(!poll_once(sending.as_mut()).await);
    let sending = tokio::spawn(sending);
    settle().await;
    pair.book.open(1);
    sending.await.expect("no panic").expect("is sent");
    pair.book.line("note 3").await;
}

#[tokio::test(start_paused = true)]
async fn answers_nobody_asked_for_and_second_answers_are_ignored() {
    let (here, mut there) = duplex(1 << 16);
    let serving = tokio::spawn(async move {
        let (mut read, mut out) = (Vec::new(), Vec::new());
        let limits = *Limits::default().calls(1);
        let mut machine = ServerHandshake::new(Talk::INFO, &limits);
        loop {
            assert_ne!(there.read_buf(&mut read).await.expect("memory reads"), 0);
            let (used, step) = machine.handle(&read, &mut out).expect("the handshake is fine");
            read.drain(..used);
            if let ServerStep::Hello(_) = step {
                break;
            }
        }
        machine.welcome(ConnectionId::random(), &SessionToken::random(), 0, &mut out);
        let mut answered = Vec::new();
        while answered.len() < 3 {
            there.write_all(&out).await.expect("memory writes");
            out.clear();
            assert_ne!(there.read_buf(&mut read).await.expect("memory reads"), 0);
            while let Some((frame, used)) = frame::decode(&read, 1 << 20).expect("the client writes frames") {
                if let Frame::Call { id, .. } = frame {
                    let q = u8::try_from(answered.len()).expect("three") * 2;
                    // The next call's id is not open yet: it waits for this one's place.
                    for id in answered.iter().copied().chain([id ^ 1, id ^ 0x2000, 0xffff_ffff, id, id]) {
                        Frame::Reply { id, payload: &[q] }.encode(&mut out);
                        Frame::Failure { id, code: "late", message: "" }.encode(&mut out);
                    }
                    answered.push(id);
                }
                read.drain(..used);
            }
        }
        there.write_all(&out).await.expect("memory writes");
        there
    });
    let builder = pnet::connect(TalkClient, Book::default());
    let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("connects");
    let divide = || client.call(Divide { a: 1, b: 1 });
    let (first, second, third) = tokio::join!(divide(), divide(), divide());
    assert_eq!(first.expect("is answered"), Quotient { q: 0 });
    assert_eq!(second.expect("is answered"), Quotient { q: 1 });
    assert_eq!(third.expect("is answered"), Quotient { q: 2 });
    serving.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_while_it_waits_for_a_place_leaves_the_line() {
    let pair = pair().await;
    let mut calls: Vec<_> = (0..64).map(|n| Box::pin(pair.client.call(Hold { n }).without_timeout())).collect();
    for call in &mut calls {
        assert!(!poll_once(call.as_mut()).await);
    }
    pair.book.after(64).await;
    let mut in_line = Box::pin(pair.client.call(Touch {}).without_timeout());
    assert!(!poll_once(in_line.as_mut()).await);
    settle().await;
    drop(in_line);
    pair.client.send(Note { n: 7 }).await.expect("is sent");
    pair.book.line("note 7").await;
}

// ── Peers that do not read, handles whose driver is gone ──

/// A server one of whose clients has stopped reading while four long answers are on their way to it.
async fn stuck() -> (MemoryServer<Talk>, Peer<Talk>, DuplexStream) {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("memory connects");
    let (mut out, mut read) = (Vec::new(), Vec::new());
    let mut machine = ClientHandshake::new(Talk::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    loop {
        io.write_all(&out).await.expect("memory writes");
        out.clear();
        assert_ne!(io.read_buf(&mut read).await.expect("memory reads"), 0);
        let (used, welcomed) = machine.handle(&read, &mut out).expect("the handshake is fine");
        read.drain(..used);
        if welcomed.is_some() {
            break;
        }
    }
    let mut payload = Vec::new();
    Echo { data: Bytes::from(vec![0; 40_000]) }.encode(Echo::CODEC, &mut payload).expect("encodes");
    let action = Talk::INFO.client.find("ECHO").expect("the protocol has it");
    for id in 1..=4 {
        Frame::Call { id, action, timeout_ms: 0, payload: &payload }.encode(&mut out);
    }
    io.write_all(&out).await.expect("memory writes");
    settle().await;
    let peer = server.hub().peers().pop().expect("the client is there");
    (server, peer, io)
}

#[tokio::test(start_paused = true)]
async fn a_call_to_a_peer_that_does_not_read_ends_when_its_time_is_over() {
    let (_server, peer, _io) = stuck().await;
    let started = tokio::time::Instant::now();
    let error = peer.call(Ask { n: 1 }).timeout(Duration::from_millis(250)).await.expect_err("nobody answers");
    assert!(matches!(error, CallError::TimedOut { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(300), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_can_be_closed_and_shut_down() {
    let (_server, peer, _io) = stuck().await;
    let started = tokio::time::Instant::now();
    peer.close("enough");
    assert_eq!(peer.closed().await.reason(), "enough");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let (server, peer, _io) = stuck().await;
    let started = tokio::time::Instant::now();
    server.shutdown(Duration::from_secs(2)).await;
    peer.closed().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn handles_that_outlive_the_runtime_of_their_connection_learn_that_it_is_gone() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let there = runtime().expect("a runtime");
    let client = there.block_on(async {
        let server = pnet::memory::serve(TalkServer, Book::default());
        let client = server.connect(TalkClient, Book::default()).await.expect("memory connects");
        client.call(Touch {}).await.expect("is answered");
        client
    });
    drop(there);
    let here = runtime().expect("another");
    here.block_on(async {
        let closed = tokio::time::timeout(Duration::from_secs(60), client.closed()).await;
        closed.expect("it is known at once");
        let error = client.call(Touch {}).await.expect_err("nobody is there");
        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn a_dropped_inbox_gives_back_what_it_had_not_read() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let (client, inbox) = server.connect_inbox().await.expect("memory connects");
    client.call(Touch {}).await.expect("is answered");
    let peer = server.hub().peers().pop().expect("the client is there");
    for n in 0..64 {
        peer.send(Push { n }).await.expect("is sent");
    }
    let call = tokio::spawn(peer.call(Ask { n: 1 }).without_timeout());
    settle().await;
    drop(inbox);
    let error = call.await.expect("no panic").expect_err("nobody reads");
    assert!(matches!(&error, CallError::Failed { code, .. } if code == code::UNSUPPORTED), "{error:?}");
    for n in 0..2_000 {
        peer.send(Push { n }).await.expect("credit comes back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_inbox_on_another_thread_loses_no_credit() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let builder = pnet::connect_inbox().limits(*Limits::default().packets(1));
    let (client, mut inbox) = server.connect_inbox_with(builder).await.expect("memory connects");
    client.call(Touch {}).await.expect("is answered");
    let peer = server.hub().peers().pop().expect("the client is there");
    let sending = tokio::spawn(async move {
        for n in 0..5_000 {
            peer.send(Push { n }).await.expect("is sent");
        }
    });
    for expected in 0..5_000 {
        let received = tokio::time::timeout(Duration::from_secs(3), inbox.recv()).await;
        let Ok(Some(TalkFromServer::Push(Push { n }))) = received else { panic!("no push {expected}") };
        assert_eq!(n, expected);
    }
    sending.await.expect("no panic");
}

// ── User code that goes wrong ──

/// Panics when it is dropped, unless a panic is on its way already.
struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a drop panics, as the test wants");
    }
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Fragile {}

#[derive(Debug, Packet, Deserialize)]
struct Broken {
    whole: bool,
}

impl Serialize for Broken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.whole, "a reply cannot be serialized, as the test wants");
        serde::ser::SerializeStruct::end({
            let mut state = serializer.serialize_struct("Broken", 1)?;
            serde::ser::SerializeStruct::serialize_field(&mut state, "whole", &self.whole)?;
            state
        })
    }
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Fetch {
    whole: bool,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct FetchLater {
    whole: bool,
}

protocol! {
    /// Handlers that break in odd places.
    Glass {
        client {
            Fragile -> (),
            Fetch -> Broken,
            FetchLater -> Broken,
        }
    }
}

#[action("FRAGILE")]
async fn fragile(_: Fragile, book: &Book) {
    let brittle = Brittle;
    book.write("fragile begins");
    std::future::pending::<()>().await;
    drop(brittle);
}

#[action("FETCH")]
fn fetch(p: Fetch) -> Broken {
    Broken { whole: p.whole }
}

#[action("FETCH_LATER")]
async fn fetch_later(p: FetchLater) -> Broken {
    tokio::task::yield_now().await;
    Broken { whole: p.whole }
}

actions! { server GlassServer(Book) for Glass: fragile, fetch, fetch_later }

#[tokio::test(start_paused = true)]
async fn a_cancelled_handler_whose_drop_panics_ends_alone() {
    let book = Arc::new(Book::default());
    let server = pnet::memory::serve(GlassServer, Arc::clone(&book));
    let (client, _inbox) = server.connect_inbox().await.expect("memory connects");
    for round in 1..=100 {
        let mut call = Box::pin(client.call(Fragile {}));
        assert!(!poll_once(call.as_mut()).await);
        book.after(round).await;
        drop(call);
    }
    client.call(FetchLater { whole: true }).await.expect("the connection lives");
    let mut call = Box::pin(client.call(Fragile {}));
    assert!(!poll_once(call.as_mut()).await);
    book.after(101).await;
    let peer = server.hub().peers().pop().expect("the client is there");
    peer.close("with one still running");
    call.await.expect_err("the connection is gone");
    settle().await;
    assert!(server.hub().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_panics_while_it_is_serialized_ends_its_own_call() {
    let server = pnet::memory::serve(GlassServer, Book::default());
    let (client, _inbox) = server.connect_inbox().await.expect("memory connects");
    for _ in 0..100 {
        let now = client.call(Fetch { whole: false }).await.map(drop);
        let later = client.call(FetchLater { whole: false }).await.map(drop);
        for outcome in [now, later] {
            assert!(matches!(&outcome, Err(CallError::Failed { code, .. }) if code == code::INTERNAL), "{outcome:?}");
        }
    }
    assert!(client.call(Fetch { whole: true }).await.expect("the connection lives").whole);
}

// ── Order and waiting ──

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Survey {
    n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Question {
    n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Answer {
    n: u32,
}

protocol! {
    /// One-way handlers that ask back.
    Opinions {
        client { Survey }
        server { Question -> Answer }
    }
}

#[action("SURVEY")]
async fn survey(p: Survey, peer: Peer<Opinions>, book: &Book) -> Result<(), Failure> {
    // In a task of its own a call would not be seen to wait for the peer; joined and selected ones are.
    let (a, b) = tokio::join!(peer.call(Question { n: p.n }), peer.call(Question { n: p.n }));
    let sum = a?.n + b?.n;
    let third = tokio::select! {
        answer = peer.call(Question { n: p.n }) => answer?.n,
        () = std::future::pending() => 0,
    };
    book.write(format!("survey {}: {}", p.n, sum + third));
    Ok(())
}

#[action("QUESTION")]
async fn question(p: Question, client: Client<Opinions>, asked: &AtomicU32) -> Result<Answer, Failure> {
    // Every question of the first surveys sends more surveys, which must not stand behind them.
    if asked.fetch_add(1, Ordering::Relaxed) < 200 {
        client.send(Survey { n: 1_000 }).await?;
    }
    Ok(Answer { n: p.n })
}

actions! { server OpinionsServer(Book) for Opinions: survey }
actions! { client Respondent(AtomicU32) for Opinions: question }

#[tokio::test(start_paused = true)]
async fn one_way_handlers_that_join_and_select_calls_to_their_peer_are_stepped_over() {
    let book = Arc::new(Book::default());
    let server = pnet::memory::serve(OpinionsServer, Arc::clone(&book));
    let client = server.connect(Respondent, AtomicU32::new(0)).await.expect("memory connects");
    for n in 0..100 {
        client.send(Survey { n }).await.expect("is sent");
    }
    let lines = book.after(300).await;
    for n in 0..100 {
        let line = format!("survey {n}: {}", n * 3);
        assert!(lines.contains(&line), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_on_many_threads_lose_nothing_and_keep_their_order() {
    let pair = pair().await;
    let peer = pair.server.hub().peers().pop().expect("the client is there");
    let tasks: Vec<_> = (0..8)
        .map(|sender| {
            let (client, peer) = (pair.client.clone(), peer.clone());
            tokio::spawn(async move {
                for n in 1..250 {
                    client.send(Note { n: sender * 1_000 + n }).await.expect("is sent");
                    peer.send(Push { n: sender * 1_000 + n }).await.expect("is sent");
                    if n % 5 == 0 {
                        let done = client.call(AskBack { n }).await.expect("is answered");
                        assert_eq!(done, Done { n: n * 2 });
                    }
                    if n % 40 == 0 {
                        // One that nobody waits for.
                        let mut call = Box::pin(client.call(Hold { n }));
                        let _ = poll_once(call.as_mut()).await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let lines = pair.client.call(Read {}).await.expect("is answered").lines;
    for sender in 0..8 {
        let expected: Vec<String> = (1..250).map(|n| format!("note {}", sender * 1_000 + n)).collect();
        let range = sender * 1_000..(sender + 1) * 1_000;
        let of_sender: Vec<&String> = lines
            .iter()
            .filter(|line| line.strip_prefix("note ").and_then(|n| n.parse().ok()).is_some_and(|n| range.contains(&n)))
            .collect();
        assert!(of_sender.into_iter().eq(expected.iter()), "the order of sender {sender}");
    }
    let pushed = pair.ui.after(8 * 249).await.iter().filter(|line| line.starts_with("push")).count();
    assert!(pushed <= 8 * 249);
    pair.client.close().await;
}
