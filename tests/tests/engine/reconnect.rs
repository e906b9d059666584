//! Clients that come back: when, how often, and what becomes of what is done meanwhile.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use pnet::{
    Backoff, CallError, Client, CloseCode, ConnectError, LinkState, Refused, Retry, SendError, WhileDown,
    memory::MemoryServer,
    transport::{Connect, PeerAddr},
};
use pnet_protocol::{close::Close, frame::Frame};
use pnet_tests::talk::{Ask, Book, Divide, Hold, Note, Read, Talk, TalkClient, TalkFromServer, TalkServer, Told};
use tokio::{
    io::{AsyncWriteExt, DuplexStream, copy_bidirectional, duplex},
    sync::broadcast,
    time::{Instant, advance, sleep, timeout},
};

use super::{net, support::settle};

/// Where a server is, or is not: every attempt is written down.
#[derive(Clone, Default)]
pub(super) struct Place {
    pub(super) server: Arc<Mutex<Option<pnet::transport::memory::Connector>>>,
    pub(super) attempts: Arc<Mutex<Vec<Instant>>>,
}

impl Place {
    pub(super) fn open(&self) -> MemoryServer<Talk> {
        let server = net::serve(TalkServer, Book::default());
        *self.server.lock().expect("whole") = Some(server.connector());
        server
    }

    /// Nobody listens any more.
    pub(super) fn leave(&self, server: MemoryServer<Talk>) {
        *self.server.lock().expect("whole") = None;
        drop(server);
    }

    pub(super) fn count(&self) -> usize {
        self.attempts.lock().expect("whole").len()
    }
}

impl Connect for Place {
    type Io = DuplexStream;

    async fn connect(&self) -> io::Result<(DuplexStream, PeerAddr)> {
        self.attempts.lock().expect("whole").push(Instant::now());
        let server = self.server.lock().expect("whole").clone();
        // As on any network, even a refusal takes its time.
        sleep(Duration::from_millis(1)).await;
        let Some(server) = server else { return Err(io::ErrorKind::ConnectionRefused.into()) };
        Ok((server.open().await?, PeerAddr::Memory))
    }
}

pub(super) fn close_all(server: &MemoryServer<Talk>, code: CloseCode) {
    for peer in server.hub().peers() {
        server.hub().close(peer.id(), code, "as the test wants it");
    }
}

pub(super) async fn client(place: &Place, backoff: Backoff) -> Client<Talk> {
    net::connect(TalkClient, Book::default()).reconnect(backoff).via(place.clone()).await.expect("connects")
}

pub(super) async fn works(client: &Client<Talk>) -> bool {
    client.call(Divide { a: 6, b: 3 }).await.is_ok_and(|quotient| quotient.q == 2)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_clients_come_back_and_none_hammers() {
    let place = Place::default();
    let server = place.open();
    let mut clients = Vec::new();
    for seed in 0..100 {
        clients.push(client(&place, Backoff::default().seed(seed)).await);
    }
    for lost in [CloseCode::Internal, CloseCode::GoingAway] {
        sleep(Duration::from_secs(60)).await;
        place.attempts.lock().expect("whole").clear();
        let away = place.server.lock().expect("whole").take();
        let start = Instant::now();
        close_all(&server, lost);
        sleep(Duration::from_secs(61)).await;
        let attempts = place.attempts.lock().expect("whole").clone();
        for (millis, each) in [(500, 1), (2_000, 3), (10_000, 5), (60_000, 8)] {
            let until = start + Duration::from_millis(millis);
            let made = attempts.iter().filter(|at| **at < until).count();
            assert!(made <= each * 100, "{made} attempts in {millis} ms");
        }
        // Spread: in no 100 ms more than two fifths of them.
        for at in &attempts {
            let crowd = attempts.iter().filter(|other| **other >= *at && **other < *at + Duration::from_millis(100));
            assert!(crowd.count() <= 40);
        }
        assert!(attempts.len() >= 500, "{}", attempts.len());
        *place.server.lock().expect("whole") = away;
        sleep(Duration::from_secs(46)).await;
        assert_eq!(server.hub().len(), 100);
        for client in &clients {
            assert!(works(client).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_is_found_again() {
    let place = Place::default();
    let server = place.open();
    let client = client(&place, Backoff::default()).await;
    let first = client.id();
    close_all(&server, CloseCode::Internal);
    place.leave(server);
    settle().await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { works(&client).await }
    });
    sleep(Duration::from_secs(5)).await;
    let _server = place.open();
    assert!(waiting.await.expect("no panic"), "a call made while down waits");
    assert_ne!(client.id(), first);
    assert!(!client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_first_attempts_error_is_the_callers() {
    let place = Place::default();
    let error = net::connect(TalkClient, Book::default()).reconnect(Backoff::default()).via(place.clone()).await;
    assert!(matches!(error, Err(ConnectError::Io { .. })), "{error:?}");
    let _server = place.open();
    let error = net::connect(TalkClient, Book::default())
        .reconnect(Backoff::default())
        .connected(|_| async { Err(Refused::new("not today")) })
        .via(place.clone())
        .await;
    assert!(matches!(&error, Err(ConnectError::Hook(why)) if why.reason() == "not today"), "{error:?}");
    sleep(Duration::from_secs(100)).await;
    assert_eq!(place.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up() {
    let hangs = || std::future::pending::<io::Result<(DuplexStream, PeerAddr)>>();
    let start = Instant::now();
    let error = net::connect(TalkClient, Book::default()).reconnect(Backoff::default()).via(hangs).await;
    assert!(matches!(error, Err(ConnectError::TimedOut { after }) if after == Duration::from_secs(5)), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_wanted_stays_away() {
    for code in [CloseCode::Normal, CloseCode::Refused, CloseCode::Unauthorized, CloseCode::Abuse] {
        let place = Place::default();
        let server = place.open();
        let client = client(&place, Backoff::default()).await;
        close_all(&server, code);
        assert_eq!(client.closed().await.code(), code);
        assert!(client.is_closed());
        let error = client.call(Divide { a: 6, b: 3 }).await;
        assert!(matches!(&error, Err(CallError::Disconnected { sent: false, why }) if why.code() == code), "{error:?}");
        sleep(Duration::from_secs(600)).await;
        assert_eq!(place.count(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hook_runs_first_on_each_connection_and_may_refuse_for_good() {
    let place = Place::default();
    let server = place.open();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let client: Client<Talk> = net::connect(TalkClient, Book::default())
        .reconnect(Backoff::default())
        .connected(move |talk: Client<Talk>| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                talk.call(Divide { a: 1, b: 1 }).await.map_err(|error| Refused::new(error.to_string()))?;
                match run {
                    0 | 3 => Ok(()),
                    1 => Err(Refused::new("later")),
                    2 => panic!("a hook that panics has failed"),
                    _ => Err(Refused::new("never").for_good()),
                }
            }
        })
        .via(place.clone())
        .await
        .expect("connects");
    close_all(&server, CloseCode::Internal);
    settle().await;
    assert!(works(&client).await, "others wait while the hook fails");
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    close_all(&server, CloseCode::Internal);
    let closed = client.closed().await;
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Refused, "never"));
    sleep(Duration::from_secs(600)).await;
    assert_eq!((runs.load(Ordering::Relaxed), place.count()), (5, 5));
    assert_eq!(server.hub().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_while_down_waits_as_long_as_it_may() {
    let place = Place::default();
    let server = place.open();
    let client = client(&place, Backoff::new(Duration::from_millis(500), Duration::from_secs(5))).await;
    close_all(&server, CloseCode::Internal);
    place.leave(server);
    settle().await;
    let start = Instant::now();
    let error = client.call(Divide { a: 6, b: 3 }).timeout(Duration::from_secs(3)).await;
    assert!(matches!(error, Err(CallError::TimedOut { after }) if after == Duration::from_secs(3)), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 3);
    let start = Instant::now();
    let error = client.send(Note { n: 1 }).await;
    assert!(matches!(&error, Err(SendError::Disconnected(why)) if why.reason().contains("refused")), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 30);
    assert!(client.try_send(Note { n: 2 }).is_err());
    // One that is made while down and first polled when there is a connection again goes there.
    let late = client.call(Divide { a: 6, b: 3 });
    let _server = place.open();
    assert!(client.send(Note { n: 3 }).await.is_ok());
    assert_eq!(late.await.expect("answered").q, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_while_down_fails_if_that_is_wanted() {
    let place = Place::default();
    let server = place.open();
    let client: Client<Talk> = net::connect(TalkClient, Book::default())
        .reconnect(Backoff::default())
        .while_down(WhileDown::Fail)
        .via(place.clone())
        .await
        .expect("connects");
    close_all(&server, CloseCode::Internal);
    place.leave(server);
    settle().await;
    let start = Instant::now();
    let error = client.call(Divide { a: 6, b: 3 }).await;
    assert!(matches!(&error, Err(CallError::Disconnected { sent: false, why }) if why.code() == CloseCode::Internal));
    assert!(client.send(Note { n: 1 }).await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
    sleep(Duration::from_secs(2)).await;
    let error = client.call(Divide { a: 6, b: 3 }).await;
    assert!(matches!(&error, Err(CallError::Disconnected { sent: false, why }) if why.code() == CloseCode::Lost));
    let late = client.call(Divide { a: 6, b: 3 });
    let _server = place.open();
    sleep(Duration::from_secs(60)).await;
    assert!(works(&client).await);
    assert_eq!(late.await.expect("answered").q, 2);
}

#[tokio::test(start_paused = true)]
async fn closing_while_down_is_the_end() {
    let place = Place::default();
    let server = place.open();
    let client = client(&place, Backoff::default()).await;
    close_all(&server, CloseCode::Internal);
    place.leave(server);
    settle().await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call(Divide { a: 6, b: 3 }).await }
    });
    settle().await;
    let start = Instant::now();
    let closed = client.close().await;
    assert_eq!((start.elapsed(), closed.code()), (Duration::ZERO, CloseCode::Normal));
    let error = call.await.expect("no panic");
    assert!(matches!(&error, Err(CallError::Disconnected { sent: false, why }) if why.code() == CloseCode::Normal));
    let made = place.count();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(place.count(), made);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_is_the_end_at_any_moment() {
    // While up.
    let place = Place::default();
    let server = place.open();
    let up = client(&place, Backoff::default()).await;
    let mut states = up.states();
    drop(up.clone());
    settle().await;
    assert_eq!(server.hub().len(), 1);
    drop(up);
    let closed = states.wait_for(|state| matches!(state, LinkState::Closed(_))).await.map(|state| format!("{state:?}"));
    assert!(closed.is_ok_and(|closed| closed.contains("last client handle")));
    assert_eq!(server.hub().len(), 0);
    // While waiting.
    let down = client(&place, Backoff::default()).await;
    close_all(&server, CloseCode::Internal);
    settle().await;
    drop(down);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(place.count(), 2);
    // In the hook, which never ends the second time.
    let runs = AtomicU32::new(0);
    let hooked: Client<Talk> = net::connect(TalkClient, Book::default())
        .reconnect(Backoff::default())
        .connected(move |talk: Client<Talk>| {
            let first = runs.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if !first {
                    std::future::pending::<()>().await;
                }
                drop(talk);
                Ok(())
            }
        })
        .via(place.clone())
        .await
        .expect("connects");
    close_all(&server, CloseCode::Internal);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(server.hub().len(), 1);
    drop(hooked);
    settle().await;
    assert_eq!(server.hub().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn states_are_seen_in_order() {
    let place = Place::default();
    let server = place.open();
    let client = client(&place, Backoff::default()).await;
    let mut states = client.states();
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        loop {
            let state = states.borrow_and_update().clone();
            seen.push(match state {
                LinkState::Connecting => "connecting".to_owned(),
                LinkState::Up => "up".to_owned(),
                LinkState::Waiting { attempt, why, .. } => format!("waiting {attempt} {}", why.code()),
                LinkState::Closed(closed) => {
                    seen.push(format!("closed {}", closed.code()));
                    return seen;
                }
                _ => "?".to_owned(),
            });
            states.changed().await.expect("it ends with a state");
        }
    });
    settle().await;
    close_all(&server, CloseCode::Overloaded);
    place.leave(server);
    sleep(Duration::from_secs(1)).await;
    let _server = place.open();
    assert!(works(&client).await);
    client.close().await;
    let seen = seen.await.expect("no panic");
    assert_eq!(seen[..2], ["up", "waiting 1 overloaded"]);
    assert_eq!(seen[2..4], ["connecting", "waiting 2 lost"]);
    assert_eq!(seen[seen.len() - 3..], ["connecting", "up", "closed normal"]);
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_so_many_attempts() {
    let place = Place::default();
    let server = place.open();
    let client = client(&place, Backoff::default().attempts(3)).await;
    close_all(&server, CloseCode::Internal);
    place.leave(server);
    let closed = client.closed().await;
    assert_eq!(closed.code(), CloseCode::Lost);
    assert_eq!(place.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_closes_at_once_is_not_hammered() {
    let place = Place::default();
    let server = place.open();
    let client = client(&place, Backoff::default()).await;
    sleep(Duration::from_secs(60)).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        close_all(&server, CloseCode::Internal);
        advance(Duration::from_millis(10)).await;
        settle().await;
    }
    let made = place.count() - 1;
    assert!((4..=8).contains(&made), "{made}");
    sleep(Duration::from_secs(60)).await;
    assert!(works(&client).await);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_goes_on_over_connections() {
    let place = Place::default();
    let server = place.open();
    let (client, mut inbox) =
        net::connect_inbox::<Talk>().reconnect(Backoff::default()).via(place.clone()).await.expect("connects");
    for n in 0..3 {
        let peer = server.hub().peers().pop().expect("there");
        peer.send(Note { n }).await.expect("there is room");
        settle().await;
        close_all(&server, CloseCode::Internal);
        if n == 1 {
            // What was left of the first connection is read on the second.
            assert!(inbox.recv().await.is_some());
            assert!(inbox.recv().await.is_some());
        }
        sleep(Duration::from_secs(20)).await;
        assert_eq!(server.hub().len(), 1, "{n}");
    }
    assert!(inbox.recv().await.is_some());
    client.close().await;
    assert!(timeout(Duration::from_secs(1), inbox.recv()).await.expect("it ends").is_none());
}

/// The wire between clients and a server, which can be cut: whoever is connected reads these bytes and then the end.
pub(super) fn cuttable(place: &Place, cut: &broadcast::Sender<Vec<u8>>) -> impl Connect + use<> {
    let (place, cut) = (place.clone(), cut.clone());
    move || {
        let (place, mut cut) = (place.clone(), cut.subscribe());
        async move {
            let (mut there, _) = place.connect().await?;
            let (here, mut near) = duplex(64 * 1024);
            tokio::spawn(async move {
                let last = tokio::select! {
                    last = cut.recv() => last.unwrap_or_default(),
                    _ = copy_bidirectional(&mut near, &mut there) => Vec::new(),
                };
                let _ = near.write_all(&last).await;
            });
            Ok((here, PeerAddr::Memory))
        }
    }
}

fn close(retry: Retry) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::Close(Close::new(CloseCode::GoingAway, "moving house").with_retry(retry)).encode(&mut bytes);
    bytes
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_about_coming_back_is_heeded() {
    let place = Place::default();
    let _server = place.open();
    let cut = broadcast::Sender::new(1);
    let mut clients = Vec::new();
    for seed in 0..100 {
        // What is said is put between by hand, which goes in plain text only.
        let builder = pnet::connect(TalkClient, Book::default()).reconnect(Backoff::default().seed(seed));
        let client: Client<Talk> = builder.via(cuttable(&place, &cut)).await.expect("connects");
        assert!(works(&client).await);
        clients.push(client);
    }
    sleep(Duration::from_secs(60)).await;
    place.attempts.lock().expect("whole").clear();
    let start = Instant::now();
    cut.send(close(Retry::After(20_000))).expect("they listen");
    sleep(Duration::from_secs(30)).await;
    let attempts = place.attempts.lock().expect("whole").clone();
    assert_eq!(attempts.len(), 100);
    for at in attempts {
        let after = (at - start).as_millis();
        assert!((20_000..=22_001).contains(&after), "{after}");
    }
    for client in &clients {
        assert!(works(client).await);
    }
    cut.send(close(Retry::Never)).expect("they listen");
    sleep(Duration::from_secs(600)).await;
    assert_eq!(place.count(), 100);
    for client in &clients {
        assert!(client.is_closed());
        assert_eq!(client.closed().await.retry(), Retry::Never);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_sent_is_lost_with_its_connection_and_not_sent_again() {
    let place = Place::default();
    let _server = place.open();
    let cut = broadcast::Sender::new(1);
    let builder = net::connect(TalkClient, Book::default()).reconnect(Backoff::default());
    let client: Client<Talk> = builder.via(cuttable(&place, &cut)).await.expect("connects");
    let held = tokio::spawn({
        let client = client.clone();
        async move { client.call(Hold { n: 1 }).await }
    });
    settle().await;
    let start = Instant::now();
    cut.send(Vec::new()).expect("it listens");
    let error = held.await.expect("no panic");
    assert!(
        matches!(&error, Err(CallError::Disconnected { sent: true, why }) if why.code() == CloseCode::Lost),
        "{error:?}"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(works(&client).await);
    let lines = client.call(Read {}).await.expect("answered").lines;
    assert_eq!(lines.iter().filter(|line| *line == "hold 1 begins").count(), 1, "{lines:?}");
    assert_eq!(place.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_call_of_a_lost_connection_goes_nowhere() {
    let place = Place::default();
    let server = place.open();
    let (client, mut inbox) =
        net::connect_inbox::<Talk>().reconnect(Backoff::default()).via(place.clone()).await.expect("connects");
    let peer = server.hub().peers().pop().expect("there");
    let asked = tokio::spawn(async move { peer.call(Ask { n: 1 }).await });
    settle().await;
    close_all(&server, CloseCode::Internal);
    assert!(asked.await.expect("no panic").is_err());
    assert!(works(&client).await);
    for n in [1, 2] {
        if n == 2 {
            let peer = server.hub().peers().pop().expect("there");
            tokio::spawn(async move { assert_eq!(peer.call(Ask { n: 2 }).await.expect("answered").n, 2) });
        }
        let Some(TalkFromServer::Ask(ask, answer)) = inbox.recv().await else { panic!("a call was made") };
        assert_eq!(ask.n, n);
        answer.reply(Told { n });
        settle().await;
    }
    assert!(works(&client).await);
}
