//! The hub: who is there, in which order, how much went over each connection, and delivery suspended to one of them.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use pnet::{
    CallError, Client, CloseCode, ClosedBy, ConnectionId, Failure, Hub, Limits, PeerInfo, Protocol, Refused, SendError,
    TrySendReason, action, actions, code, memory::MemoryServer, transport::PeerAddr,
};
use pnet_protocol::frame::{self, Frame};
use pnet_tests::talk::{
    Ask, AskBack, Book, Divide, Hold, Note, Push, Quotient, Talk, TalkClient, TalkFromServer, TalkServer, Told, Touch,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    time::timeout,
};

use super::{
    net,
    support::{id_of, pair, poll_once, settle, shake, stuck},
};

fn ids(hub: &Hub<Talk>) -> Vec<ConnectionId> {
    hub.peers().iter().map(|peer| peer.id()).collect()
}

/// A server with that many clients, each of which has its own book.
async fn crowd(clients: usize) -> (MemoryServer<Talk>, Vec<(Client<Talk>, Arc<Book>)>) {
    let server = net::serve(TalkServer, Book::default());
    let mut all = Vec::new();
    for _ in 0..clients {
        let ui = Arc::new(Book::default());
        let client = server.connect(TalkClient, Arc::clone(&ui)).await.expect("memory connects");
        all.push((client, ui));
    }
    assert_eq!(server.hub().len(), clients);
    (server, all)
}

#[tokio::test(start_paused = true)]
async fn peers_are_listed_in_the_order_in_which_they_were_let_in() {
    let (server, clients) = crowd(20).await;
    let hub = server.hub();
    let mut expected: Vec<_> = clients.iter().map(|(client, _)| client.id()).collect();
    assert_eq!(ids(&hub), expected);
    assert_eq!(hub.infos().iter().map(|info| info.id).collect::<Vec<_>>(), expected);
    for gone in [19, 7, 0] {
        clients[gone].0.close().await;
        settle().await;
        expected.remove(gone);
        assert_eq!(ids(&hub), expected);
        assert_eq!(hub.latest().map(|peer| peer.id()), expected.last().copied());
    }
    let (late, _inbox) = server.connect_inbox().await.expect("memory connects");
    expected.push(late.id());
    assert_eq!(ids(&hub), expected);
    assert_eq!(hub.latest().map(|peer| peer.id()), Some(late.id()));
}

#[action(connect)]
async fn at_the_gate(book: &Book) -> Result<(), Refused> {
    book.write("comes");
    book.gate.acquire().await.map_err(|error| error.to_string())?.forget();
    Ok(())
}

#[action("TOUCH")]
fn touch(_: Touch) {}

actions! { server GateServer(Book) for Gate: at_the_gate, touch }

pnet::protocol! {
    /// A server that lets nobody in before it is told to.
    Gate { client { Touch -> () } }
}

#[tokio::test(start_paused = true)]
async fn who_was_not_let_in_yet_is_not_the_latest() {
    let book = Arc::new(Book::default());
    let server: MemoryServer<Gate> = net::serve(GateServer, Arc::clone(&book));
    let hub = server.hub();
    book.open(1);
    let (first, _inbox) = server.connect_inbox().await.expect("is let in");
    let io = server.connector().open().await.expect("opens");
    let second = tokio::spawn(net::connect_inbox::<Gate>().over(io, PeerAddr::Memory));
    book.after(2).await;
    assert_eq!(hub.latest().map(|peer| peer.id()), Some(first.id()));
    book.open(1);
    let (second, _inbox) = second.await.expect("no panic").expect("is let in");
    assert_eq!(hub.latest().map(|peer| peer.id()), Some(second.id()));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_drawn_from_an_empty_hub() {
    let (server, clients) = crowd(1).await;
    let hub = server.hub();
    assert_eq!(hub.random().map(|peer| peer.id()), Some(clients[0].0.id()));
    clients[0].0.close().await;
    settle().await;
    assert!(hub.random().is_none());
    assert!(hub.latest().is_none());
    assert!(hub.infos().is_empty());
    assert!(hub.info(clients[0].0.id()).is_none());
    assert!(Hub::<Talk>::new().random().is_none());
}

#[tokio::test(start_paused = true)]
async fn every_peer_is_drawn_about_as_often_as_the_others() {
    let (server, clients) = crowd(5).await;
    let hub = server.hub();
    let mut drawn: HashMap<ConnectionId, u32> = HashMap::new();
    for _ in 0..2_000 {
        *drawn.entry(hub.random().expect("five are there").id()).or_default() += 1;
    }
    assert_eq!(drawn.len(), clients.len());
    // 400 each, give or take eleven standard deviations.
    assert!(drawn.values().all(|times| (200..=600).contains(times)), "{drawn:?}");
}

/// Counts what goes through it.
struct Counted {
    io: DuplexStream,
    count: Arc<Count>,
}

#[derive(Default)]
struct Count {
    read: AtomicU64,
    written: AtomicU64,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(task, buf);
        self.count.read.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(task, buf);
        if let Poll::Ready(Ok(written)) = polled {
            self.count.written.fetch_add(written as u64, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

/// Packets and calls: received, sent.
fn counts(info: &PeerInfo) -> [u64; 4] {
    [info.received.packets, info.received.calls, info.sent.packets, info.sent.calls]
}

#[tokio::test(start_paused = true)]
async fn the_info_counts_a_conversation_exactly() {
    let server = net::serve(TalkServer, Book::default());
    let hub = server.hub();
    let count = Arc::new(Count::default());
    let io = Counted { io: server.connector().open().await.expect("opens"), count: Arc::clone(&count) };
    let ui = Arc::new(Book::default());
    let client: Client<Talk> =
        pnet::connect(TalkClient, Arc::clone(&ui)).over(io, PeerAddr::Memory).await.expect("connects");
    let peer = hub.get(client.id()).expect("is there");
    let check_bytes = |info: &PeerInfo| {
        assert_eq!(info.received.bytes, count.written.load(Ordering::Relaxed), "all that the client has written");
        assert_eq!(info.sent.bytes, count.read.load(Ordering::Relaxed), "all that the client has read");
    };
    settle().await;
    let info = peer.info();
    assert_eq!((info.id, &info.addr, info.since, info.suspended), (peer.id(), peer.addr(), peer.since(), false));
    assert_eq!(counts(&info), [0; 4], "the handshake holds no packets");
    check_bytes(&info);

    for n in 0..3 {
        client.send(Note { n }).await.expect("is sent");
    }
    client.call(Touch {}).await.expect("is answered");
    client.call(Divide { a: 1, b: 0 }).await.expect_err("a declared error is an answer, too");
    // Its handler calls back.
    client.call(AskBack { n: 1 }).await.expect("is answered");
    peer.send(Push { n: 1 }).await.expect("is sent");
    peer.try_send(Note { n: 2 }).expect("there is room");
    assert_eq!(hub.broadcast(&Push { n: 3 }).queued, 1);
    for n in 0..2 {
        peer.call(Ask { n }).await.expect("is answered");
    }
    settle().await;
    let info = hub.info(client.id()).expect("is there");
    assert_eq!(counts(&info), [3, 3, 3, 3]);
    check_bytes(&info);

    client.close().await;
    settle().await;
    assert!(hub.info(client.id()).is_none());
    let last = peer.info();
    assert_eq!(counts(&last), counts(&info), "the end holds no packets");
    assert!(last.received.bytes > info.received.bytes, "but a close frame");
    check_bytes(&last);
}

#[tokio::test(start_paused = true)]
async fn each_connection_has_its_own_counts() {
    let (server, clients) = crowd(3).await;
    for (n, (client, _)) in clients.iter().enumerate() {
        for _ in 0..n {
            client.call(Touch {}).await.expect("is answered");
        }
    }
    let calls: Vec<_> = server.hub().infos().iter().map(|info| info.received.calls).collect();
    assert_eq!(calls, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_has_arrived_all_the_same() {
    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    let peer = server.hub().latest().expect("is there");
    let before = peer.info().received.bytes;
    let mut bytes = Vec::new();
    // One call more than may be open, all at the gate; then an unknown action, and a packet that is too short.
    for id in 1..=65 {
        Frame::Call { id, action: id_of("HOLD"), timeout_ms: 0, payload: &[1] }.encode(&mut bytes);
    }
    frame::put_packet(&mut bytes, 999, &[]);
    frame::put_packet(&mut bytes, id_of("NOTE"), &[]);
    io.write_all(&bytes).await.expect("writes");
    settle().await;
    let info = peer.info();
    assert_eq!(counts(&info), [2, 65, 0, 0]);
    assert_eq!(info.received.bytes - before, bytes.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_credit_counts_once_it_goes() {
    let server = net::serve(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    let peer = server.hub().get(client.id()).expect("is there");
    for n in 0..100 {
        peer.try_send(Note { n }).expect("there is room");
    }
    let asking = tokio::spawn(peer.call(Ask { n: 1 }));
    settle().await;
    assert_eq!(counts(&peer.info()), [0, 0, 64, 0], "as many as the client's credit");
    for _ in 0..100 {
        assert!(matches!(inbox.recv().await, Some(TalkFromServer::Note(_))));
    }
    let Some(TalkFromServer::Ask(_, responder)) = inbox.recv().await else { panic!("a call is due") };
    responder.reply(Told { n: 2 });
    asking.await.expect("no panic").expect("is answered");
    assert_eq!(counts(&peer.info()), [0, 0, 100, 1]);
}

#[tokio::test(start_paused = true)]
async fn pushes_to_a_suspended_connection_are_refused_until_it_is_resumed() {
    let pair = pair().await;
    let hub = pair.server.hub();
    let id = pair.client.id();
    let peer = hub.get(id).expect("is there");
    peer.send(Push { n: 1 }).await.expect("is sent");
    assert!(!peer.is_suspended());
    assert!(hub.suspend(id));
    peer.suspend();
    assert!(peer.is_suspended() && peer.info().suspended);

    let error = peer.send(Push { n: 2 }).await.expect_err("is suspended");
    assert!(matches!(error, SendError::Suspended), "{error:?}");
    let error = hub.send_to(id, Push { n: 3 }).await.expect_err("is suspended");
    assert!(matches!(error, SendError::Suspended), "{error:?}");
    let error = peer.try_send(Push { n: 4 }).expect_err("is suspended");
    assert!(matches!(error.reason, TrySendReason::Failed(SendError::Suspended)), "{error:?}");
    assert_eq!(error.packet, Push { n: 4 }, "the packet comes back");
    let error = peer.call(Ask { n: 5 }).await.expect_err("is suspended");
    assert!(matches!(error, CallError::Suspended), "{error:?}");

    assert!(hub.resume(id));
    assert!(!peer.is_suspended() && !peer.info().suspended);
    peer.send(Push { n: 6 }).await.expect("is sent");
    assert_eq!(peer.call(Ask { n: 7 }).await.expect("is answered"), Told { n: 14 });
    pair.ui.line("push 6").await;
    let mut lines = pair.ui.lines();
    lines.sort();
    assert_eq!(lines, ["asked 7", "push 1", "push 6"], "what came before arrives, what was refused does not");
    assert_eq!(counts(&peer.info()), [0, 0, 2, 1]);

    peer.close(CloseCode::Normal, "bye");
    pair.client.closed().await;
    settle().await;
    assert!(!hub.suspend(id) && !hub.resume(id), "is not there any more");
    peer.suspend();
    let error = peer.send(Push { n: 8 }).await.expect_err("is gone");
    assert!(matches!(error, SendError::Disconnected(_)), "that it is gone says more: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_is_refused_and_what_was_queued_is_delivered() {
    let server = net::serve(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    let peer = server.hub().get(client.id()).expect("is there");
    let mut sent = 0;
    while peer.try_send(Note { n: sent }).is_ok() {
        sent += 1;
        assert!(sent < 5_000, "the queue is bounded");
        tokio::task::yield_now().await;
    }
    let sender = tokio::spawn(peer.send(Push { n: 1 }));
    let caller = tokio::spawn(peer.call(Ask { n: 2 }).without_timeout());
    settle().await;
    assert!(!sender.is_finished() && !caller.is_finished(), "there is no room");

    peer.suspend();
    let error = timeout(SOON, sender).await.expect("is woken").expect("no panic").expect_err("is suspended");
    assert!(matches!(error, SendError::Suspended), "{error:?}");
    let error = timeout(SOON, caller).await.expect("is woken").expect("no panic").expect_err("is suspended");
    assert!(matches!(error, CallError::Suspended), "{error:?}");
    assert_eq!(server.hub().broadcast(&Note { n: sent }).skipped, 1);

    for expected in 0..sent {
        let Some(TalkFromServer::Note(Note { n })) = inbox.recv().await else { panic!("a note is due") };
        assert_eq!(n, expected);
    }
    peer.resume();
    peer.send(Push { n: 3 }).await.expect("is sent");
    let Some(TalkFromServer::Push(Push { n })) = inbox.recv().await else { panic!("a push is due") };
    assert_eq!(n, 3, "nothing that was refused has come through");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_can_be_suspended_and_closed() {
    let (server, peer, _io) = stuck().await;
    while peer.try_send(Note { n: 0 }).is_ok() {}
    let sender = tokio::spawn(peer.send(Push { n: 1 }));
    settle().await;
    assert!(!sender.is_finished(), "there is no room");
    assert!(server.hub().suspend(peer.id()));
    let error = timeout(SOON, sender).await.expect("is woken").expect("no panic").expect_err("is suspended");
    assert!(matches!(error, SendError::Suspended), "{error:?}");
    assert!(server.hub().close(peer.id(), CloseCode::Normal, "enough"));
    assert_eq!(timeout(SOON, peer.closed()).await.expect("closes").reason(), "enough");
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_was_not_polled_meanwhile_does_not_notice() {
    let (_server, peer, _io) = stuck().await;
    while peer.try_send(Note { n: 0 }).is_ok() {}
    let mut sender = Box::pin(peer.send(Push { n: 1 }));
    assert!(!poll_once(sender.as_mut()).await, "there is no room");
    peer.suspend();
    peer.resume();
    assert!(!poll_once(sender.as_mut()).await, "it waits on");
    peer.suspend();
    assert!(matches!(sender.await, Err(SendError::Suspended)));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_client_is_served_as_ever() {
    let pair = pair().await;
    let peer = pair.server.hub().get(pair.client.id()).expect("is there");
    peer.suspend();
    let quotient = pair.client.call(Divide { a: 6, b: 2 }).await.expect("is answered");
    assert_eq!(quotient, Quotient { q: 3 });
    // More than its credit, so some of it must have come back.
    for n in 0..500 {
        pair.client.send(Note { n }).await.expect("is sent");
    }
    pair.book.line("note 499").await;
    // The server may not ask back, which is the handler's failure, not the client's.
    let error = pair.client.call(AskBack { n: 1 }).await.expect_err("the handler cannot ask");
    assert!(matches!(&error, CallError::Failed { code, .. } if code == code::INTERNAL), "{error:?}");
    // Cancelling goes on, too.
    let holding = tokio::spawn(pair.client.call(Hold { n: 1 }));
    pair.book.line("hold 1 begins").await;
    holding.abort();
    pair.book.line("hold 1 was cancelled").await;
    assert_eq!(counts(&peer.info()), [500, 3, 0, 0]);
    assert!(pair.ui.lines().is_empty());
    pair.client.close().await;
    pair.book.line("left: normal (), 0 remain").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_open_is_answered_while_its_connection_is_suspended() {
    let server = net::serve(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    let peer = server.hub().get(client.id()).expect("is there");
    let asking = tokio::spawn(peer.call(Ask { n: 4 }));
    let Some(TalkFromServer::Ask(ask, responder)) = inbox.recv().await else { panic!("a call is due") };
    peer.suspend();
    responder.reply(Told { n: ask.n + 1 });
    assert_eq!(asking.await.expect("no panic").expect("is answered"), Told { n: 5 });
}

#[tokio::test(start_paused = true)]
async fn a_suspended_client_gets_its_pongs() {
    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    let mut read = shake(&mut io, Talk::INFO, &Limits::default()).await;
    server.hub().latest().expect("is there").suspend();
    let mut bytes = Vec::new();
    Frame::Ping { nonce: 7 }.encode(&mut bytes);
    io.write_all(&bytes).await.expect("writes");
    loop {
        if let Some((frame, _)) = frame::decode(&read, 4_096).expect("are frames") {
            assert!(matches!(frame, Frame::Pong { nonce: 7 }), "{frame:?}");
            return;
        }
        assert_ne!(timeout(SOON, io.read_buf(&mut read)).await.expect("in time").expect("memory reads"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_skips_who_is_suspended() {
    let (server, clients) = crowd(3).await;
    let hub = server.hub();
    assert!(hub.suspend(clients[1].0.id()));
    let result = hub.broadcast(&Push { n: 1 });
    assert_eq!((result.queued, result.skipped, result.dropped), (2, 1, 0));
    let result = hub.broadcast_except(clients[0].0.id(), &Push { n: 2 });
    assert_eq!((result.queued, result.skipped, result.dropped), (1, 2, 0));
    assert!(hub.resume(clients[1].0.id()));
    let result = hub.broadcast_if(&Push { n: 3 }, |peer| !peer.is_suspended());
    assert_eq!((result.queued, result.skipped, result.dropped), (3, 0, 0));
    for (_, ui) in &clients {
        ui.line("push 3").await;
    }
    let heard: Vec<_> = clients.iter().map(|(_, ui)| ui.lines().len()).collect();
    assert_eq!(heard, [2, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_close_reaches_a_suspended_client_with_its_code_and_reason() {
    let pair = pair().await;
    let hub = pair.server.hub();
    let id = pair.client.id();
    assert!(hub.suspend(id));
    assert!(hub.close_with(id, CloseCode::Other(4_001), "banned", pnet::Retry::Unspecified));
    let closed = pair.client.closed().await;
    assert_eq!((closed.code(), closed.reason(), closed.by()), (CloseCode::Other(4_001), "banned", ClosedBy::Peer));
    let left = format!("left: {} (banned), 0 remain", CloseCode::Other(4_001));
    pair.book.line(&left).await;
    assert!(!hub.close_with(id, CloseCode::Normal, "again", pnet::Retry::Unspecified), "is not there any more");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_finishes_what_a_suspended_client_has_asked() {
    let pair = pair().await;
    assert!(pair.server.hub().suspend(pair.client.id()));
    let holding = tokio::spawn(pair.client.call(Hold { n: 1 }));
    pair.book.line("hold 1 begins").await;
    let ending = tokio::spawn(pair.server.shutdown(Duration::from_secs(10)));
    settle().await;
    pair.book.open(1);
    holding.await.expect("no panic").expect("is answered");
    let done = ending.await.expect("no panic");
    assert_eq!((done.finished, done.cut_off), (1, 0));
}

#[test]
fn a_suspension_can_be_told_from_other_failures() {
    // A handler hands it on with `?`; its caller learns nothing of it.
    let failure = Failure::from(CallError::<std::convert::Infallible>::Suspended);
    assert_eq!((failure.code(), failure.message()), (code::INTERNAL, ""));
    assert_eq!(SendError::Suspended.to_string(), "not sent: delivery to the connection is suspended");
}

const SOON: Duration = Duration::from_secs(1);
