//! Calls and peers under stress, and user code that goes wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use pnet::{Bytes, CallError, Client, Dialect, Failure, Limits, Packet, Peer, action, actions, code, protocol};
use pnet_protocol::frame::Frame;
use pnet_tests::talk::{
    self, Ask, AskBack, Book, Divide, Done, Echo, Hold, Note, Push, Quotient, Read, Tail, TalkClient, TalkFromServer,
    TalkServer, Touch, Wait,
};
use serde::{Deserialize, Serialize};

use super::{
    net,
    support::{Raw, pair, poll_once, settle, stuck},
};

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
    let (mut server, client, _) = Raw::with_client(Limits::default().calls(1)).await;
    let serving = tokio::spawn(async move {
        let mut answered = Vec::new();
        for q in [0, 2, 4] {
            let id =
                server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
            // The next call's id is not open yet: it waits for this one's place.
            for id in answered.iter().copied().chain([id ^ 1, id ^ 0x2000, 0xffff_ffff, id, id]) {
                server.send(Frame::Reply { id, payload: &[q] }).await;
                server.send(Frame::Failure { id, code: "late", message: "" }).await;
            }
            answered.push(id);
        }
        server
    });
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
    peer.close(pnet::CloseCode::Normal, "enough");
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
        let server = net::serve(TalkServer, Book::default());
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
    let server = net::serve(TalkServer, Book::default());
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
    let server = net::serve(TalkServer, Book::default());
    let builder = net::connect_inbox().limits(*Limits::default().packets(1));
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
    let server = net::serve(GlassServer, Arc::clone(&book));
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
    peer.close(pnet::CloseCode::Normal, "with one still running");
    call.await.expect_err("the connection is gone");
    settle().await;
    assert!(server.hub().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_panics_while_it_is_serialized_ends_its_own_call() {
    let server = net::serve(GlassServer, Book::default());
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
    let server = net::serve(OpinionsServer, Arc::clone(&book));
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

/// Streams both ways, long answers and broadcasts, of which much is dropped half-way, in both dialects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_random_work_on_many_threads_nothing_is_held() {
    let server = net::builder(TalkServer, Book::default()).max_memory(4 << 20).in_memory();
    let mut working = Vec::new();
    for seed in 0..12_u32 {
        let dialect = if seed % 3 == 0 { Dialect::Json } else { Dialect::Native };
        let builder = net::connect(TalkClient, Book::default()).dialect(dialect);
        let client = server.connect_with(builder).await.expect("memory connects");
        let hub = server.hub().clone();
        working.push(tokio::spawn(async move {
            for round in 0..20_u32 {
                let draw = (seed * 31 + round * 17) % 11;
                let mut fetched = client.stream(talk::Fetch { items: 8, len: 20_000 });
                for _ in 0..draw {
                    if fetched.next().await.is_none_or(|item| item.is_err()) {
                        break;
                    }
                }
                hub.broadcast(&Push { n: round + 1 });
                if let Some(peer) = hub.get(client.id()) {
                    let mut told = peer.stream(Tail { to: 100 });
                    for _ in 0..draw * 9 {
                        if told.next().await.is_none_or(|item| item.is_err()) {
                            break;
                        }
                    }
                }
                let mut call = Box::pin(client.call(Echo { data: Bytes::from(vec![1; 30_000]) }));
                if draw % 2 == 0 {
                    poll_once(call.as_mut()).await;
                } else if call.await.is_err() {
                    return;
                }
            }
            if seed % 2 == 0 {
                client.close().await;
            }
        }));
    }
    for work in working {
        work.await.expect("no panic");
    }
    let handle = server.handle();
    let emptied = tokio::time::timeout(Duration::from_secs(20), async {
        while handle.memory_used() > 0 || !server.hub().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    assert!(emptied.await.is_ok(), "{} bytes for {} connections", handle.memory_used(), server.hub().len());
}
