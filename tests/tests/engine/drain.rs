//! Shutdown: never outlasts its grace, loses no answered call, and says exactly what it has cut off. And everybody who
//! closes at the same time as somebody else.

use std::{
    future::pending,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use pnet::{
    ByteBuf, CallError, Client, CloseCode, Closed, ClosedBy, ConnectError, ConnectionId, Dialect, Failure, Hub, Limits,
    Packet, Peer, Protocol, Refused, Retry, ServerHandle, StreamSender, TlsError, action, actions,
    memory::MemoryServer, protocol,
};
use pnet_protocol::frame::{Frame, decode};
use pnet_tests::talk::{Book, Drip, Follow, Hold, Number, Pay, Talk, TalkClient, TalkServer, Then, Touch, Wait};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    net,
    support::{Handed, pair, poll_once, settle, shake},
};

/// What a handler does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, pnet::Schema, Serialize, Deserialize)]
enum Deed {
    #[default]
    Nothing,
    /// Never ends.
    Hang,
    /// Closes its connection and answers.
    Close,
    /// Closes its connection and never ends.
    CloseAndHang,
    /// Waits for the server's shutdown.
    Shutdown,
    /// Has a task wait for it.
    SpawnShutdown,
    /// Asks the client.
    Ask,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Do {
    deed: Deed,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Finish {
    millis: u64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Load {
    len: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Loaded {
    data: ByteBuf,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Feed {}

/// Which the client never answers.
#[derive(Debug, Packet, Serialize, Deserialize)]
struct Question {}

protocol! {
    Odd {
        client { Do -> (), Finish -> (), Load -> Loaded, Feed -> stream Number }
        server { Question -> () }
    }
}

#[derive(Default)]
struct World {
    connect: Mutex<Deed>,
    disconnect: Mutex<Deed>,
    handle: OnceLock<ServerHandle<Odd>>,
    book: Book,
}

impl World {
    async fn act(&self, deed: Deed, hub: &Hub<Odd>, id: ConnectionId, peer: Option<&Peer<Odd>>) -> Result<(), Failure> {
        let close = || match peer {
            Some(peer) => peer.close(CloseCode::Normal, "as the handler likes"),
            None => assert!(!hub.close(id, CloseCode::Normal, "too late"), "it has left the hub"),
        };
        let handle = || self.handle.get().expect("the test has set it").clone();
        match deed {
            Deed::Nothing => {}
            Deed::Hang => pending().await,
            Deed::Close => close(),
            Deed::CloseAndHang => {
                close();
                pending().await
            }
            Deed::Shutdown => {
                let done = handle().shutdown(Duration::from_secs(4)).await;
                self.book.write(format!("shut down, {} cut off", done.cut_off));
            }
            Deed::SpawnShutdown => {
                let handle = handle();
                tokio::spawn(async move { handle.shutdown(Duration::from_secs(4)).await });
            }
            Deed::Ask => peer.expect("a peer").call(Question {}).await?,
        }
        Ok(())
    }
}

fn read(deed: &Mutex<Deed>) -> Deed {
    *deed.lock().unwrap_or_else(PoisonError::into_inner)
}

#[action(connect)]
async fn come(peer: Peer<Odd>, hub: Hub<Odd>, world: &World) -> Result<(), Refused> {
    world.act(read(&world.connect), &hub, peer.id(), Some(&peer)).await.map_err(|_| Refused::new("failed"))
}

#[action("DO")]
async fn perform(p: Do, peer: Peer<Odd>, hub: Hub<Odd>, world: &World) -> Result<(), Failure> {
    world.act(p.deed, &hub, peer.id(), Some(&peer)).await
}

#[action("FINISH", finish)]
async fn finish(p: Finish, world: &World) {
    world.book.write("finish begins");
    sleep(Duration::from_millis(p.millis)).await;
    world.book.write("finish ends");
}

#[action("LOAD")]
fn load(p: Load) -> Loaded {
    Loaded { data: ByteBuf::from(vec![7; p.len as usize]) }
}

/// Has no end, and does not listen.
#[action("FEED")]
async fn feed(_: Feed, out: StreamSender<Number>) -> Result<(), Failure> {
    for n in 0.. {
        out.send(Number { n }).await?;
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[action(disconnect)]
async fn leave(peer: Peer<Odd>, why: &Closed, hub: Hub<Odd>, world: &World) -> Result<(), Failure> {
    world.book.write(format!("left: {}", why.code()));
    world.act(read(&world.disconnect), &hub, peer.id(), None).await
}

actions! { server OddServer(World) for Odd: come, perform, finish, load, feed, leave }

#[action("QUESTION")]
async fn question(_: Question) {
    pending().await
}

actions! { client OddClient for Odd: question }

struct Odds {
    server: MemoryServer<Odd>,
    world: Arc<World>,
}

fn odds() -> Odds {
    let world = Arc::new(World::default());
    let server = net::serve(OddServer, Arc::clone(&world));
    assert!(world.handle.set(server.handle()).is_ok());
    Odds { server, world }
}

impl Odds {
    async fn client(&self, dialect: Dialect) -> Client<Odd> {
        let builder = net::connect(OddClient, ()).dialect(dialect).call_timeout(None);
        self.server.connect_with(builder).await.expect("is let in")
    }

    /// Shuts down with 3 s; what was done, and how long it took.
    async fn shutdown(&self) -> ((usize, usize, usize), Duration) {
        shutdown(&self.server.handle(), GRACE).await
    }
}

async fn shutdown<P: pnet::Phase>(handle: &ServerHandle<P>, grace: Duration) -> ((usize, usize, usize), Duration) {
    let started = Instant::now();
    let done = handle.shutdown(grace).await;
    ((done.finished, done.cut_off, done.calls), started.elapsed())
}

const GRACE: Duration = Duration::from_secs(3);
/// A quarter of it is for the last words.
const WORK: Duration = Duration::from_millis(2_250);
const DIALECTS: [Dialect; 2] = [Dialect::Native, Dialect::Json];

/// Tokio's timers have a grain of 1 ms.
#[track_caller]
fn assert_took(took: Duration, expected: Duration) {
    assert!(took >= expected && took <= expected + Duration::from_millis(2), "{took:?}, not {expected:?}");
}

#[track_caller]
fn assert_going_away(closed: &Closed) -> u32 {
    assert_eq!((closed.code(), closed.by()), (CloseCode::GoingAway, ClosedBy::Peer), "{closed}");
    let Retry::After(millis) = closed.retry() else { panic!("{closed:?}") };
    millis
}

async fn lost<T: std::fmt::Debug, E: std::fmt::Debug>(call: JoinHandle<Result<T, CallError<E>>>) {
    let error = call.await.expect("no panic").expect_err("was cut off");
    let CallError::Disconnected { sent: true, why } = error else { panic!("{error:?}") };
    assert_going_away(&why);
}

#[tokio::test(start_paused = true)]
async fn handlers_that_never_finish_are_cut_off_and_counted() {
    for dialect in DIALECTS {
        let odds = odds();
        let client = odds.client(dialect).await;
        let hang = tokio::spawn(client.call(Do { deed: Deed::Hang }));
        let finish = tokio::spawn(client.call(Finish { millis: 3_600_000 }));
        odds.world.book.line("finish begins").await;
        let (done, took) = odds.shutdown().await;
        assert_eq!(done, (1, 0, 2));
        assert!(took >= WORK && took <= GRACE, "{took:?}");
        lost(hang).await;
        lost(finish).await;
        assert!(!odds.world.book.lines().contains(&"finish ends".to_owned()));
        assert!(odds.server.hub().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_within_the_grace_is_answered() {
    for dialect in DIALECTS {
        let odds = odds();
        let client = odds.client(dialect).await;
        let early = tokio::spawn(client.call(Finish { millis: 2_200 }));
        let late = tokio::spawn(client.call(Finish { millis: 2_300 }));
        odds.world.book.after(2).await;
        let (done, _) = odds.shutdown().await;
        assert_eq!(done, (1, 0, 1));
        early.await.expect("no panic").expect("is answered");
        lost(late).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_handler_whose_client_has_left_has_the_whole_grace() {
    let odds = odds();
    let client = odds.client(Dialect::Native).await;
    let call = tokio::spawn(client.call(Finish { millis: 2_800 }));
    odds.world.book.line("finish begins").await;
    call.abort();
    client.close().await;
    let (done, took) = odds.shutdown().await;
    assert_eq!(done, (1, 0, 0));
    assert!(took <= Duration::from_millis(2_802), "{took:?}");
    odds.world.book.line("finish ends").await;

    let odds = self::odds();
    let client = odds.client(Dialect::Native).await;
    let call = tokio::spawn(client.call(Finish { millis: 60_000 }));
    odds.world.book.line("finish begins").await;
    call.abort();
    client.close().await;
    let (done, took) = odds.shutdown().await;
    assert_eq!(done, (0, 1, 1));
    assert!(took <= GRACE, "{took:?}");
    odds.world.book.line("left: normal").await;
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_handler_that_never_finishes_runs_on() {
    for dialect in DIALECTS {
        let odds = odds();
        *odds.world.disconnect.lock().expect("no panic") = Deed::Hang;
        let client = odds.client(dialect).await;
        let (done, took) = odds.shutdown().await;
        assert_eq!(done, (0, 1, 0));
        assert_took(took, GRACE);
        assert_going_away(&*client.closed().await);
        assert!(odds.server.hub().is_empty());
        // The same account again, at once.
        assert_eq!(odds.shutdown().await, (done, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_let_go_of() {
    let server = net::serve(OddServer, World::default());
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Odd::INFO, &Limits::default()).await;
    let action = Odd::INFO.client.find("LOAD").expect("the protocol has it");
    let mut payload = Vec::new();
    Load { len: 900_000 }.encode(Load::CODEC, &mut payload).expect("encodes");
    let mut bytes = Vec::new();
    for id in 1..=8 {
        Frame::Call { id, action, timeout_ms: 0, payload: &payload }.encode(&mut bytes);
    }
    io.write_all(&bytes).await.expect("writes");
    settle().await;
    let (done, took) = shutdown(&server.handle(), GRACE).await;
    assert_eq!((done.0, done.1), (0, 1));
    assert!(done.2 > 0, "not all were begun: {done:?}");
    assert!(took <= GRACE, "{took:?}");
    settle().await;
    assert!(server.hub().is_empty());

    // One that wakes up in time gets all its answers, and then the reason.
    let server = net::serve(OddServer, World::default());
    let mut io = server.connector().open().await.expect("opens");
    let mut read = shake(&mut io, Odd::INFO, &Limits::default()).await;
    io.write_all(&bytes).await.expect("writes");
    settle().await;
    let reading = tokio::spawn(async move {
        sleep(Duration::from_secs(2)).await;
        io.read_to_end(&mut read).await.expect("reads");
        read
    });
    assert_eq!(shutdown(&server.handle(), GRACE).await.0, (1, 0, 0));
    let read = reading.await.expect("no panic");
    let (mut rest, mut replies, mut close) = (&read[..], 0, None);
    while let Some((frame, used)) = decode(rest, 1 << 20).expect("frames") {
        match frame {
            Frame::Reply { .. } => replies += 1,
            Frame::Close(said) => close = Some(said.code),
            _ => {}
        }
        rest = &rest[used..];
    }
    assert_eq!((replies, close), (8, Some(CloseCode::GoingAway)));
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_in_progress_is_dropped_and_its_client_told() {
    for dialect in DIALECTS {
        let odds = odds();
        *odds.world.connect.lock().expect("no panic") = Deed::Hang;
        let builder = net::connect(OddClient, ()).dialect(dialect);
        let connector = odds.server.connector();
        let connecting = tokio::spawn(async move {
            let io = connector.open().await.expect("opens");
            builder.over::<Odd>(io, pnet::transport::PeerAddr::Memory).await
        });
        settle().await;
        // A JSON client listens for a moment before it says anything.
        sleep(Duration::from_millis(300)).await;
        let (done, took) = odds.shutdown().await;
        assert_eq!(done, (1, 0, 0));
        assert_took(took, Duration::ZERO);
        let error = connecting.await.expect("no panic").expect_err("is not let in");
        let ConnectError::Refused(closed) = error else { panic!("{error:?}") };
        assert_going_away(&closed);
        assert!(odds.world.book.lines().is_empty(), "who was never let in does not leave");
    }
}

#[tokio::test(start_paused = true)]
async fn clients_in_the_middle_of_their_handshake_are_told() {
    let server = net::serve(OddServer, World::default());
    let mut hello = Vec::new();
    let limits = Limits::default();
    let _ = pnet_protocol::handshake::ClientHandshake::new(
        Odd::INFO,
        b"",
        &limits,
        pnet_protocol::handshake::ShapePolicy::Names,
        &mut hello,
    );
    let halves: [(&[u8], &[u8]); 3] = [
        (&hello[..hello.len() - 1], b"\x22\x01\x00"),
        (br#"{"action":"handShake","data":{"#, br#""action":"pnet.close","data":{"code":"going-away""#),
        (b"", b""),
    ];
    let mut all = Vec::new();
    for (half, _) in halves {
        let mut io = server.connector().open().await.expect("opens");
        io.write_all(half).await.expect("writes");
        all.push(io);
    }
    settle().await;
    let handle = server.handle();
    let shutting = tokio::spawn(async move { shutdown(&handle, GRACE).await });
    for (mut io, (half, told)) in all.into_iter().zip(halves) {
        let mut said = Vec::new();
        io.read_to_end(&mut said).await.expect("reads");
        let text = String::from_utf8_lossy(&said);
        assert!(
            said.windows(told.len().max(1)).any(|part| part == told) || said.is_empty() && told.is_empty(),
            "{text}"
        );
        assert_eq!(text.contains("shutting down"), !half.is_empty(), "{text}");
    }
    let (done, took) = shutting.await.expect("no panic");
    assert_eq!(done, (0, 0, 0));
    assert_took(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn handshakes_whose_peers_do_not_read_on_end_with_the_grace() {
    let server = net::serve(OddServer, World::default());
    let mut io = server.connector().open().await.expect("opens");
    io.write_all(br#"{"action":"#).await.expect("writes");
    settle().await;
    let grace = Duration::from_millis(400);
    let (done, took) = shutdown(&server.handle(), grace).await;
    assert_eq!(done, (0, 0, 0));
    assert!(took <= grace, "{took:?}");
    settle().await;
    let started = Instant::now();
    server.handle().closed().await;
    assert_eq!(started.elapsed(), Duration::ZERO, "nothing is left");
}

/// The server has spoken first, to what may be a client of the old form.
#[tokio::test(start_paused = true)]
async fn silent_clients_hold_nothing_up() {
    for (silence, finished) in [(100, 0), (3_000, 1)] {
        let server = net::serve(OddServer, World::default());
        let mut io = server.connector().open().await.expect("opens");
        sleep(Duration::from_millis(silence)).await;
        let (done, took) = shutdown(&server.handle(), GRACE).await;
        assert_eq!(done, (finished, 0, 0));
        assert!(took <= Duration::from_millis(1_001), "{took:?}");
        let mut said = String::new();
        io.read_to_string(&mut said).await.expect("reads");
        assert_eq!(said.is_empty(), finished == 0, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_during_the_shutdown_is_told_or_closed() {
    let (sender, receiver) = mpsc::channel::<DuplexStream>(8);
    let server = net::builder(TalkServer, Book::default()).listen(Handed(receiver));
    let mut ios = Vec::new();
    for _ in 0..3 {
        let (here, there) = tokio::io::duplex(1 << 16);
        sender.send(there).await.expect("there is room");
        ios.push(here);
    }
    let mut connecting = Vec::new();
    for io in ios {
        let client = net::connect(TalkClient, Book::default());
        connecting.push(tokio::spawn(client.over::<Talk>(io, pnet::transport::PeerAddr::Memory)));
    }
    // They are accepted, and have not said a word.
    tokio::task::yield_now().await;
    let (done, took) = shutdown(&server.handle(), GRACE).await;
    assert_eq!((done.1, done.2), (0, 0));
    assert!(took <= GRACE, "{took:?}");
    for connecting in connecting {
        let connected = connecting.await.expect("no panic");
        match connected {
            // It was just in time.
            Ok(client) => drop(assert_going_away(&*client.closed().await)),
            Err(ConnectError::Refused(closed)) => drop(assert_going_away(&closed)),
            Err(ConnectError::Handshake(_) | ConnectError::Broken(_)) => {}
            Err(ConnectError::Tls(TlsError::Broken { .. })) if net::OVER_TLS => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(sender.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_peer_has_its_answers_within_the_grace() {
    for (millis, answered) in [(1_000, true), (60_000, false)] {
        let odds = odds();
        let mut io = odds.server.connector().open().await.expect("opens");
        let ask = format!(r#"{{"action":"FINISH","data":{{"millis":{millis}}},"id":1}}"#);
        io.write_all(ask.as_bytes()).await.expect("writes");
        io.shutdown().await.expect("ends");
        odds.world.book.line("finish begins").await;
        let (done, took) = odds.shutdown().await;
        assert_eq!(done, (1, 0, usize::from(!answered)));
        assert!(took <= GRACE, "{took:?}");
        let mut said = String::new();
        io.read_to_string(&mut said).await.expect("reads");
        assert_eq!(said.contains("pnet.done"), answered, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_without_an_end_hold_nothing_up() {
    for dialect in DIALECTS {
        let odds = odds();
        let client = odds.client(dialect).await;
        let mut open = client.stream(Feed {});
        open.next().await.expect("an item").expect("an item");
        let reader = tokio::spawn(async move {
            loop {
                match open.next().await {
                    Some(Ok(_)) => {}
                    other => return other,
                }
            }
        });
        let (done, took) = odds.shutdown().await;
        assert_eq!(done, (1, 0, 1));
        assert!(took <= GRACE, "{took:?}");
        let end = reader.await.expect("no panic");
        let Some(Err(CallError::Disconnected { sent: true, why })) = end else { panic!("{end:?}") };
        assert_going_away(&why);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_listen_come_to_their_end() {
    let pair = pair().await;
    let mut told = pair.client.stream(Follow { to: 1, then: Then::WhenTold });
    told.next().await.expect("an item").expect("an item");
    let mut dripping = pair.client.stream(Drip { n: 1 });
    assert!(!poll_once(pin!(dripping.next())).await);
    settle().await;
    let (done, took) = shutdown(&pair.server.handle(), GRACE).await;
    assert_eq!(done, (1, 0, 1), "one listens, one is marked `finish` and does not");
    assert!(took <= GRACE, "{took:?}");
    pair.book.line("follow was told: this side is shutting down").await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_its_client_waits_no_longer_than_the_grace() {
    for dialect in DIALECTS {
        let odds = odds();
        let client = odds.client(dialect).await;
        let asking = tokio::spawn(client.call(Do { deed: Deed::Ask }));
        settle().await;
        let (done, took) = odds.shutdown().await;
        assert_eq!(done, (1, 0, 1));
        assert!(took <= GRACE, "{took:?}");
        lost(asking).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_the_shutdown_is_cut_off_and_the_shutdown_goes_on() {
    let odds = odds();
    let client = odds.client(Dialect::Native).await;
    let other = odds.client(Dialect::Json).await;
    let asking = tokio::spawn(client.call(Do { deed: Deed::Shutdown }));
    let started = Instant::now();
    assert_going_away(&*other.closed().await);
    assert_eq!(started.elapsed(), Duration::ZERO, "who has nothing to do is not kept waiting");
    lost(asking).await;
    assert_took(started.elapsed(), Duration::from_secs(3));
    odds.server.handle().closed().await;
    // All give the same account.
    let (done, _) = odds.shutdown().await;
    assert_eq!(done, (2, 0, 1));

    let odds = self::odds();
    let client = odds.client(Dialect::Native).await;
    let started = Instant::now();
    client.call(Do { deed: Deed::SpawnShutdown }).await.expect("is answered");
    assert_going_away(&*client.closed().await);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn connect_and_disconnect_handlers_may_shut_down_too() {
    let odds = odds();
    *odds.world.connect.lock().expect("no panic") = Deed::Shutdown;
    let error = odds.server.connect(OddClient, ()).await.expect_err("is not let in");
    let ConnectError::Refused(closed) = error else { panic!("{error:?}") };
    assert_going_away(&closed);
    odds.server.handle().closed().await;

    let odds = self::odds();
    *odds.world.disconnect.lock().expect("no panic") = Deed::Shutdown;
    let client = odds.client(Dialect::Native).await;
    let started = Instant::now();
    client.close().await;
    // It waits for itself, until the grace is over, and then goes on.
    odds.world.book.line("shut down, 1 cut off").await;
    assert_took(started.elapsed(), Duration::from_secs(4));
    odds.server.handle().closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_goes_on_when_nobody_waits_for_it() {
    let odds = odds();
    let client = odds.client(Dialect::Native).await;
    let hang = tokio::spawn(client.call(Do { deed: Deed::Hang }));
    settle().await;
    let started = Instant::now();
    let handle = odds.server.handle();
    let dropped = tokio::time::timeout(Duration::from_secs(1), handle.shutdown(GRACE)).await;
    assert!(dropped.is_err());
    lost(hang).await;
    handle.closed().await;
    assert!(started.elapsed() <= GRACE, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_two_shutdowns_the_earlier_end_counts() {
    let secs = Duration::from_secs;
    // The graces, when the second begins, and when all is over at the latest.
    let cases = [
        (secs(60), secs(4), secs(0), secs(4)),
        (secs(4), secs(60), secs(0), secs(4)),
        (secs(60), secs(4), secs(30), secs(34)),
        (secs(60), secs(4), Duration::from_millis(58_900), secs(60)),
        (secs(60), Duration::from_millis(100), Duration::from_millis(58_900), secs(59)),
        (secs(4), secs(60), Duration::from_millis(2_900), secs(4)),
    ];
    for (first, second, pause, end) in cases {
        let odds = odds();
        *odds.world.disconnect.lock().expect("no panic") = Deed::Hang;
        let client = odds.client(Dialect::Native).await;
        let hang = tokio::spawn(client.call(Do { deed: Deed::Hang }));
        settle().await;
        let started = Instant::now();
        let (one, two) = (odds.server.handle(), odds.server.handle());
        let first = async {
            let done = one.shutdown(first).await;
            (done, started.elapsed())
        };
        let second = async {
            sleep(pause).await;
            let done = two.shutdown(second).await;
            (done, started.elapsed())
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first, second);
        assert_eq!((first.0.cut_off, first.0.calls), (1, 1));
        assert_took(first.1, end);
        lost(hang).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_grace_of_zero_cuts_off_at_once_and_says_so() {
    let odds = odds();
    let client = odds.client(Dialect::Native).await;
    let hang = tokio::spawn(client.call(Do { deed: Deed::Hang }));
    settle().await;
    let (done, took) = shutdown(&odds.server.handle(), Duration::ZERO).await;
    assert_eq!((done.0, done.1), (0, 1));
    assert_eq!(took, Duration::ZERO);
    lost(hang).await;
}

#[tokio::test(start_paused = true)]
async fn clients_may_close_twice() {
    let pair = pair().await;
    let holding = tokio::spawn(pair.client.call(Pay { n: 1 }));
    pair.book.line("pay 1 begins").await;
    let again = pair.client.clone();
    let (first, second) = (tokio::spawn(async move { pair.client.close().await }), again.close());
    let open = async {
        sleep(Duration::from_secs(1)).await;
        pair.book.open(1);
    };
    let (first, second, ()) = tokio::join!(first, second, open);
    assert!(Arc::ptr_eq(&first.expect("no panic"), &second), "the same end");
    assert_eq!((second.code(), second.by()), (CloseCode::Normal, ClosedBy::Here));
    holding.await.expect("no panic").expect("is answered before");
    assert!(Arc::ptr_eq(&again.close().await, &second), "and again");
}

#[tokio::test(start_paused = true)]
async fn both_sides_may_close_in_the_same_instant() {
    for dialect in DIALECTS {
        let odds = odds();
        let client = odds.client(dialect).await;
        let peer = odds.server.hub().latest().expect("there");
        let (closed, (done, took)) = tokio::join!(client.close(), odds.shutdown());
        assert_eq!(done, (1, 0, 0));
        assert_eq!(took, Duration::ZERO);
        assert_eq!(closed.code(), client.closed().await.code());
        assert!([CloseCode::Normal, CloseCode::GoingAway].contains(&peer.closed().await.code()));
        odds.server.handle().closed().await;
        assert_eq!(odds.world.book.lines().len(), 1, "the disconnect handler runs once");

        let odds = self::odds();
        let client = odds.client(dialect).await;
        let peer = odds.server.hub().latest().expect("there");
        peer.close(CloseCode::Normal, "from here");
        peer.close(CloseCode::Unauthorized, "too late");
        let (there, here) = tokio::join!(client.close(), peer.closed());
        assert_eq!((here.code(), here.reason(), here.by()), (CloseCode::Normal, "from here", ClosedBy::Here));
        assert_eq!(there.code(), CloseCode::Normal);
        odds.world.book.line("left: normal").await;
        assert_eq!(odds.world.book.lines().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_may_close_their_own_connection() {
    for dialect in DIALECTS {
        let odds = odds();
        let client = odds.client(dialect).await;
        client.call(Do { deed: Deed::Close }).await.expect("the answer was given before");
        assert_eq!(client.closed().await.reason(), "as the handler likes");
        let client = odds.client(dialect).await;
        let error = client.call(Do { deed: Deed::CloseAndHang }).await.expect_err("is cancelled");
        let CallError::Disconnected { sent: true, why } = error else { panic!("{error:?}") };
        assert_eq!((why.code(), why.reason()), (CloseCode::Normal, "as the handler likes"));
        odds.world.book.after(2).await;

        // The connect handler lets in whom it closes, or does not come to that.
        *odds.world.connect.lock().expect("no panic") = Deed::Close;
        let client = odds.client(dialect).await;
        assert_eq!(client.closed().await.reason(), "as the handler likes");
        odds.world.book.after(3).await;
        *odds.world.connect.lock().expect("no panic") = Deed::CloseAndHang;
        let error = odds.server.connect_with(net::connect(OddClient, ()).dialect(dialect)).await.expect_err("closed");
        let ConnectError::Refused(closed) = error else { panic!("{error:?}") };
        assert_eq!(closed.reason(), "as the handler likes");

        // In the disconnect handler there is nothing left to close.
        *odds.world.connect.lock().expect("no panic") = Deed::Nothing;
        *odds.world.disconnect.lock().expect("no panic") = Deed::Close;
        let client = odds.client(dialect).await;
        client.close().await;
        odds.server.handle().shutdown(GRACE).await;
        assert_eq!(odds.world.book.lines(), ["left: normal"; 4]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_server_tells_its_clients_when_to_come_back() {
    let (sender, receiver) = mpsc::channel::<DuplexStream>(64);
    let server = net::builder(TalkServer, Book::default()).come_back(Duration::from_secs(3)).listen(Handed(receiver));
    let handle = server.handle();
    let mut clients = Vec::new();
    for _ in 0..200 {
        let (here, there) = tokio::io::duplex(1 << 16);
        sender.send(there).await.expect("is accepted");
        let client = net::connect(TalkClient, Book::default());
        clients.push(client.over::<Talk>(here, pnet::transport::PeerAddr::Memory).await.expect("connects"));
    }
    let hold = tokio::spawn(clients[0].call(Hold { n: 1 }));
    settle().await;
    let started = Instant::now();
    drop(server);
    handle.closed().await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    lost(hold).await;
    let mut times = Vec::new();
    for client in &clients {
        times.push(assert_going_away(&*client.closed().await));
    }
    times.sort_unstable();
    assert!(times[0] >= 3_000 && times[199] < 5_000, "{times:?}");
    let second = times.iter().filter(|millis| **millis < 4_000).count();
    assert!((98..=102).contains(&second), "{second}");
}

#[tokio::test(start_paused = true)]
async fn who_comes_during_a_shutdown_has_a_place_of_its_own_in_the_spread() {
    let odds = odds();
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(odds.client(Dialect::Native).await);
    }
    let mut halves = Vec::new();
    for _ in 0..20 {
        let mut io = odds.server.connector().open().await.expect("opens");
        io.write_all(b"{").await.expect("writes");
        halves.push(io);
    }
    settle().await;
    odds.server.handle().shutdown(GRACE).await;
    let mut times = Vec::new();
    for client in clients {
        times.push(u64::from(assert_going_away(&*client.closed().await)));
    }
    for mut io in halves {
        let mut said = Vec::new();
        io.read_to_end(&mut said).await.expect("reads");
        let said: serde_json::Value = serde_json::from_slice(&said).expect("an object");
        times.push(said["data"]["retry"].as_u64().unwrap_or_else(|| panic!("{said}")));
    }
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 40, "{times:?}");
    assert!(times[0] >= 1_000 && times[39] < 2_000, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_order_is_finished_or_counted() {
    for open in [3, 2] {
        let pair = pair().await;
        for n in 1..=3 {
            pair.client.send(Wait { n }).await.expect("is sent");
        }
        let touch = tokio::spawn(pair.client.call(Touch {}));
        pair.book.line("wait 1 begins").await;
        settle().await;
        pair.book.open(open);
        let (done, _) = shutdown(&pair.server.handle(), GRACE).await;
        assert_eq!(done, (1, 0, usize::from(open < 3)), "the packets are no calls");
        assert_eq!(touch.await.expect("no panic").is_ok(), open == 3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_server_can_be_waited_for() {
    let (sender, receiver) = mpsc::channel::<DuplexStream>(1);
    let server = net::builder(TalkServer, Book::default()).listen(Handed(receiver));
    let handle = server.handle();
    let shut = tokio::spawn(async move { handle.shutdown(GRACE).await });
    server.closed().await;
    assert_eq!(shut.await.expect("no panic"), pnet::Shutdown::default());
    assert!(sender.is_closed());
    server.run().await;
}
