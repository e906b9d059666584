//! The edges: pipes of one byte, limits of one, ends that meet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use pnet::{
    Bytes, CallError, Client, CloseCode, ConnectError, Limits, Packet, Peer, Refused, SendError, action, actions,
    memory::MemoryServer, protocol, transport::PeerAddr,
};
use pnet_tests::talk::{
    Ask, AskBack, Book, Consult, Done, Echo, Note, Push, Read, Talk, TalkClient, TalkFromServer, TalkServer, Told,
    Touch,
};
use serde::{Deserialize, Serialize};
use tokio::{io::duplex, sync::mpsc};

use super::{
    net,
    support::{Handed, pair, settle},
};

#[tokio::test(start_paused = true)]
async fn everything_fits_through_a_pipe_of_one_byte() {
    for width in [1, 2, 7] {
        let (sender, receiver) = mpsc::channel(1);
        let (book, ui) = (Arc::new(Book::default()), Arc::new(Book::default()));
        let server = net::builder(TalkServer, Arc::clone(&book)).listen(Handed(receiver));
        let (here, there) = duplex(width);
        sender.send(there).await.expect("the server accepts");
        let builder = net::connect(TalkClient, Arc::clone(&ui));
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
    let server = net::builder(TalkServer, Arc::clone(&book)).limits(limits).in_memory();
    let builder = net::connect(TalkClient, Arc::clone(&ui)).limits(limits);
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
    let server = net::builder(TalkServer, Book::default()).limits(limits).in_memory();
    let builder = net::connect(TalkClient, Book::default()).limits(limits);
    let client = server.connect_with(builder).await.expect("memory connects");
    let (narrow, mut inbox) = server.connect_inbox_with(net::connect_inbox().limits(limits)).await.expect("connects");
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
    let server = net::builder(ScalesServer, AtomicU32::new(0)).limits(limits).in_memory();
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
        peer.close(CloseCode::Normal, "me too");
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
    (net::serve(DoorServer, Arc::clone(&book)), book)
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_that_never_ends_is_given_up() {
    let (server, book) = door();
    let started = tokio::time::Instant::now();
    let builder = net::connect_inbox().handshake_timeout(Duration::from_secs(60));
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
        async move { net::connect_inbox::<Door>().over(io, PeerAddr::Memory).await }
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
        async move { net::connect_inbox::<Door>().over(io, PeerAddr::Memory).await }
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
    let server = net::serve(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    client.call(Touch {}).await.expect("is answered");
    let peer = server.hub().peers().pop().expect("the client is there");
    let calls: Vec<_> = (0..3).map(|n| tokio::spawn(peer.call(Ask { n }))).collect();
    let mut responders = Vec::new();
    for _ in 0..3 {
        let Some(TalkFromServer::Ask(_, responder)) = inbox.recv().await else { panic!("a call is due") };
        responders.push(responder);
    }
    peer.close(CloseCode::Normal, "too late");
    for call in calls {
        let error = call.await.expect("no panic").expect_err("the connection is gone");
        assert!(matches!(error, CallError::Disconnected { sent: true, .. }), "{error:?}");
    }
    responders.pop().expect("three").reply(Told { n: 1 });
    drop(responders);
    assert!(inbox.recv().await.is_none());
}
