//! Clients that come back, continued: what is done while there is no connection, quitting, handlers, and a server that is
//! killed.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use pnet::{
    Backoff, CallError, Client, CloseCode, Dialect, Json, LinkState, Packet, Refused, SendError, WhileDown, action,
    actions, protocol,
    transport::{Connect, PeerAddr},
};
use pnet_tests::talk::{Book, Count, Divide, Follow, Hold, Note, Talk, TalkClient, Then};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::DuplexStream,
    sync::broadcast,
    time::{Instant, sleep},
};

use super::{
    net,
    reconnect::{Place, client, close_all, cuttable, works},
    support::settle,
};

#[tokio::test(start_paused = true)]
async fn a_server_that_is_killed_under_a_hundred_clients_is_found_again_by_all() {
    let place = Place::default();
    let server = place.open();
    let cut = broadcast::Sender::new(1);
    let (mut clients, mut places, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..100 {
        let own = Place { server: Arc::clone(&place.server), attempts: Arc::default() };
        let builder = net::connect(TalkClient, Book::default()).call_timeout(None);
        let builder = builder.reconnect(Backoff::default().seed(seed));
        let client: Client<Talk> = builder.via(cuttable(&own, &cut)).await.expect("connects");
        clients.push(client);
        places.push(own);
    }
    sleep(Duration::from_secs(60)).await;
    for client in &clients {
        let (call, mut stream) = (client.call(Hold { n: 1 }), client.stream(Follow { to: 1, then: Then::Never }));
        assert!(stream.next().await.expect("not the end").is_ok());
        open.push(tokio::spawn(async move { (call.await, stream.next().await) }));
    }
    settle().await;
    for own in &places {
        own.attempts.lock().expect("whole").clear();
    }
    // Nobody says that it closes.
    let killed = Instant::now();
    cut.send(Vec::new()).expect("they listen");
    settle().await;
    place.leave(server);
    for open in open {
        let (call, item) = open.await.expect("no panic");
        let Err(CallError::Disconnected { sent: true, why }) = call else { panic!("{call:?}") };
        assert_eq!(why.code(), CloseCode::Lost);
        assert!(matches!(item, Some(Err(CallError::Disconnected { sent: true, .. }))), "{item:?}");
    }
    assert!(killed.elapsed() < Duration::from_millis(10), "{:?}", killed.elapsed());
    sleep(Duration::from_secs(60)).await;
    for own in &places {
        let attempts = own.attempts.lock().expect("whole").clone();
        for (millis, most) in [(500, 1), (2_000, 3), (10_000, 5), (60_000, 8)] {
            let until = killed + Duration::from_millis(millis);
            let made = attempts.iter().filter(|at| **at < until).count();
            assert!(made <= most, "{made} attempts of one client in {millis} ms");
        }
        assert!(attempts.len() >= 5, "{attempts:?}");
    }
    let server = place.open();
    sleep(Duration::from_secs(46)).await;
    assert_eq!(server.hub().len(), 100);
    for client in &clients {
        assert!(works(client).await);
    }
}

/// What a client that has no connection is asked to do, all at once: what comes of it, in that order.
async fn everything(client: &Client<Talk>) -> [String; 6] {
    let shown = |ended: Result<(), String>| ended.err().unwrap_or_else(|| "done".to_owned());
    let in_send = |error| match error {
        SendError::Disconnected(_) => "disconnected".to_owned(),
        error => format!("{error:?}"),
    };
    let stream = async {
        let mut stream = client.stream(Count { to: 3 });
        for n in 1..=3 {
            match stream.next().await.expect("not the end") {
                Ok(number) => assert_eq!(number.n, n),
                Err(CallError::Disconnected { sent: false, .. }) => return "disconnected".to_owned(),
                Err(error) => return format!("{error:?}"),
            }
        }
        assert!(stream.next().await.is_none());
        "done".to_owned()
    };
    let limited = async {
        let mut stream = client.stream(Count { to: 3 }).timeout(Duration::from_secs(2));
        match stream.next().await.expect("not the end") {
            Err(CallError::TimedOut { .. }) => "timed out".to_owned(),
            Err(CallError::Disconnected { .. }) => "disconnected".to_owned(),
            other => format!("{other:?}"),
        }
    };
    let (call, send, stream, limited, call_json, send_json) = tokio::join!(
        async { shown(client.call(Divide { a: 6, b: 3 }).await.map(drop).map_err(in_call)) },
        async { shown(client.send(Note { n: 1 }).await.map_err(in_send)) },
        stream,
        limited,
        async {
            shown(client.call_json(Json::new("DIVIDE", json!({"a": 6, "b": 3}))).await.map(drop).map_err(in_call))
        },
        async { shown(client.send_json(&Json::new("NOTE", json!({"n": 2}))).await.map_err(in_send)) },
    );
    [call, send, stream, limited, call_json, send_json]
}

fn in_call<E: std::fmt::Debug>(error: CallError<E>) -> String {
    match error {
        CallError::Disconnected { sent: false, .. } => "disconnected".to_owned(),
        error => format!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_done_while_down_waits_or_fails_as_is_wanted() {
    for (dialect, mode) in [
        (Dialect::Native, WhileDown::Wait),
        (Dialect::Native, WhileDown::Fail),
        (Dialect::Json, WhileDown::Wait),
        (Dialect::Json, WhileDown::Fail),
    ] {
        let place = Place::default();
        let server = place.open();
        let builder = net::connect(TalkClient, Book::default()).dialect(dialect);
        let client: Client<Talk> =
            builder.reconnect(Backoff::default()).while_down(mode).via(place.clone()).await.expect("connects");
        close_all(&server, CloseCode::Internal);
        place.leave(server);
        settle().await;
        let start = Instant::now();
        let doing = tokio::spawn({
            let client = client.clone();
            async move { everything(&client).await }
        });
        if mode == WhileDown::Fail {
            assert_eq!(doing.await.expect("no panic"), ["disconnected"; 6], "{dialect}");
            assert_eq!(start.elapsed(), Duration::ZERO);
            continue;
        }
        sleep(Duration::from_secs(5)).await;
        assert!(!doing.is_finished());
        let server = place.open();
        let done = doing.await.expect("no panic");
        assert_eq!(done, ["done", "done", "done", "timed out", "done", "done"], "{dialect}");
        // And who waits when the client is closed waits no longer.
        close_all(&server, CloseCode::Internal);
        place.leave(server);
        settle().await;
        let doing = tokio::spawn({
            let client = client.clone();
            async move { everything(&client).await }
        });
        settle().await;
        client.close().await;
        assert_eq!(doing.await.expect("no panic"), ["disconnected"; 6], "{dialect}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_json_client_comes_back_in_json() {
    let place = Place::default();
    let server = place.open();
    let hooked = Arc::new(AtomicU32::new(0));
    let runs = Arc::clone(&hooked);
    let client: Client<Talk> =
        net::connect(TalkClient, Book::default())
            .dialect(Dialect::Json)
            .reconnect(Backoff::default())
            .connected(move |talk: Client<Talk>| {
                runs.fetch_add(1, Ordering::Relaxed);
                async move {
                    talk.call(Divide { a: 1, b: 1 }).await.map(drop).map_err(|error| Refused::new(error.to_string()))
                }
            })
            .via(place.clone())
            .await
            .expect("connects");
    for round in 1..=3 {
        let id = client.id();
        let peer = server.hub().latest().expect("there");
        assert_eq!((client.dialect(), peer.dialect(), peer.id()), (Dialect::Json, Dialect::Json, id));
        let mut stream = client.stream(Follow { to: 1, then: Then::Never });
        assert!(stream.next().await.expect("not the end").is_ok());
        close_all(&server, CloseCode::Internal);
        let Some(Err(CallError::Disconnected { sent: true, why })) = stream.next().await else { panic!("gone") };
        assert_eq!(why.code(), CloseCode::Internal);
        assert!(stream.next().await.is_none());
        assert!(works(&client).await);
        assert_ne!(client.id(), id);
        assert_eq!(hooked.load(Ordering::Relaxed), round + 1);
    }
}

/// Set while the dial that never ends runs.
struct Dialing(Arc<AtomicU32>);

impl Drop for Dialing {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn quitting_ends_a_dial_that_is_under_way() {
    for close in [true, false] {
        let place = Place::default();
        let server = place.open();
        let (dialing, dials) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let connect = {
            let (place, dialing, dials) = (place.clone(), Arc::clone(&dialing), Arc::clone(&dials));
            move || {
                let (place, dialing) = (place.clone(), Arc::clone(&dialing));
                let first = dials.fetch_add(1, Ordering::Relaxed) == 0;
                async move {
                    if first {
                        return place.connect().await;
                    }
                    dialing.store(1, Ordering::Relaxed);
                    let _dialing = Dialing(dialing);
                    std::future::pending::<io::Result<(DuplexStream, PeerAddr)>>().await
                }
            }
        };
        let builder = net::connect(TalkClient, Book::default()).reconnect(Backoff::default());
        let client: Client<Talk> = builder.via(connect).await.expect("connects");
        let mut states = client.states();
        close_all(&server, CloseCode::Internal);
        states.wait_for(|state| matches!(state, LinkState::Connecting)).await.expect("it goes on");
        settle().await;
        assert_eq!(dialing.load(Ordering::Relaxed), 1);
        let start = Instant::now();
        if close {
            assert_eq!(client.close().await.code(), CloseCode::Normal);
        } else {
            drop(client);
        }
        states.wait_for(|state| matches!(state, LinkState::Closed(_))).await.expect("it ends with a state");
        settle().await;
        assert_eq!((dialing.load(Ordering::Relaxed), start.elapsed()), (0, Duration::ZERO));
        sleep(Duration::from_secs(600)).await;
        assert_eq!(dials.load(Ordering::Relaxed), 2);
    }
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Knock {}

protocol! { Visit { client { Knock -> () } } }

#[action("KNOCK")]
fn knock(_: Knock) {}

#[action(connect)]
fn arrived(book: &Book) {
    book.write("connected");
}

#[action(disconnect)]
fn left(book: &Book, why: &pnet::Closed) {
    book.write(format!("disconnected: {}", why.code()));
}

actions! { server VisitServer for Visit: knock }
actions! { client VisitClient(Book) for Visit: arrived, left }

#[tokio::test(start_paused = true)]
async fn connect_and_disconnect_handlers_run_once_for_each_connection() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let (place, book) = (Place::default(), Arc::new(Book::default()));
        let server = net::serve(VisitServer, ());
        *place.server.lock().expect("whole") = Some(server.connector());
        let builder = net::connect(VisitClient, Arc::clone(&book)).dialect(dialect);
        let client: Client<Visit> = builder.reconnect(Backoff::default()).via(place).await.expect("connects");
        for code in [CloseCode::Internal, CloseCode::Overloaded] {
            client.call(Knock {}).await.expect("is answered");
            let peer = server.hub().latest().expect("there");
            peer.close(code, "as the test wants it");
            peer.closed().await;
        }
        client.call(Knock {}).await.expect("is answered");
        client.close().await;
        settle().await;
        let lines = book.lines();
        let expected =
            ["internal", "overloaded", "normal"].map(|code| ["connected".into(), format!("disconnected: {code}")]);
        assert_eq!(lines, expected.concat(), "{dialect}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_lost_connection_is_not_opened_again() {
    let place = Place::default();
    let server = place.open();
    let client = client(&place, Backoff::default()).await;
    let mut stream = client.stream(Count { to: 1_000 });
    assert_eq!(stream.next().await.expect("not the end").expect("an item").n, 1);
    settle().await;
    close_all(&server, CloseCode::Internal);
    settle().await;
    assert!(works(&client).await);
    let mut last = 1;
    let error = loop {
        match stream.next().await.expect("not the end") {
            Ok(number) => {
                assert_eq!(number.n, last + 1);
                last = number.n;
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CallError::Disconnected { sent: true, .. }), "{error:?}");
    assert!((64..100).contains(&last), "what had arrived comes first: {last}");
    assert!(stream.next().await.is_none());
}
