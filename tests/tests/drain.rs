//! A shutdown under load, again and again with other timings: no answered call is lost, everything ends with a reason and
//! within the grace, and nothing is left over. A binary of its own, since it counts the tasks of its runtimes.
//!
//! `PNET_DRAIN` says how many times; `PNET_DRAIN_SEED` which is the first.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{
    CallError, Client, CloseCode, Closed, Dialect, Packet, Retry, SendError, StreamSender, action, actions, code,
    memory::MemoryServer, protocol,
};
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::{Builder, Handle},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

const CONNECTIONS: u64 = 200;
const GRACE: Duration = Duration::from_secs(10);
/// What a handler takes at most: more than the grace.
const LONGEST: u64 = 12_000;
/// Calls and streams that each client has open at the same time.
const AT_ONCE: u64 = 3;

/// Answered after a time.
#[derive(Packet, Serialize, Deserialize)]
struct Work {
    id: u64,
    millis: u64,
}

/// The same, by a handler that runs to its end.
#[derive(Packet, Serialize, Deserialize)]
struct Pay {
    id: u64,
    millis: u64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Done {
    id: u64,
}

/// Answered with as many items, each after a time.
#[derive(Packet, Serialize, Deserialize)]
struct Watch {
    id: u64,
    items: u64,
    millis: u64,
    /// Whether it ends when it is told that it should.
    listens: bool,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Item {
    n: u64,
}

/// One-way, in both directions.
#[derive(Clone, Packet, Serialize, Deserialize)]
struct Tick {}

protocol! {
    Busy {
        client { Tick, Work -> Done, Pay -> Done, Watch -> stream Item }
        server { Tick }
    }
}

/// What the server knows.
#[derive(Default)]
struct Book {
    /// The calls and streams whose handlers have come to their end, with the number of items.
    ended: Mutex<HashMap<u64, u64>>,
    /// Those whose handlers were dropped.
    dropped: AtomicUsize,
    ticks: AtomicU32,
    left: AtomicU64,
}

/// A handler that has begun.
struct Begun<'a> {
    book: &'a Book,
    id: Option<u64>,
}

impl Book {
    const fn begin(&self, id: u64) -> Begun<'_> {
        Begun { book: self, id: Some(id) }
    }
}

impl Begun<'_> {
    fn end(mut self, items: u64) {
        if let Some(id) = self.id.take() {
            self.book.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(id, items);
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.id.is_some() {
            self.book.dropped.fetch_add(1, Relaxed);
        }
    }
}

#[action("TICK")]
fn tick(_: Tick, book: &Book) {
    book.ticks.fetch_add(1, Relaxed);
}

#[action("WORK")]
async fn work(p: Work, book: &Book) -> Done {
    let begun = book.begin(p.id);
    sleep(Duration::from_millis(p.millis)).await;
    begun.end(0);
    Done { id: p.id }
}

#[action("PAY", finish)]
async fn pay(p: Pay, book: &Book) -> Done {
    let begun = book.begin(p.id);
    sleep(Duration::from_millis(p.millis)).await;
    begun.end(0);
    Done { id: p.id }
}

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender<Item>, book: &Book) -> Result<(), SendError> {
    let begun = book.begin(p.id);
    let mut sent = 0;
    while sent < p.items {
        tokio::select! {
            biased;
            why = out.closed(), if p.listens => {
                assert!(matches!(why, SendError::ShuttingDown), "{why:?}");
                break;
            }
            () = sleep(Duration::from_millis(p.millis)) => {}
        }
        out.send(Item { n: sent }).await?;
        sent += 1;
    }
    begun.end(sent);
    Ok(())
}

#[action(disconnect)]
fn left(book: &Book) {
    book.left.fetch_add(1, Relaxed);
}

actions! { server BusyServer(Book) for Busy: tick, work, pay, watch, left }

#[derive(Default)]
struct Pushes(AtomicU32);

#[action("TICK")]
fn pushed(_: Tick, pushes: &Pushes) {
    pushes.0.fetch_add(1, Relaxed);
}

actions! { client BusyClient(Pushes) for Busy: pushed }

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    /// Below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (n ^ (n >> 31)) % bound
    }
}

/// What the callers know.
#[derive(Debug, Default)]
struct Told {
    /// The calls and streams that ended as they should, with the number of items.
    ended: HashMap<u64, u64>,
    /// Those that went away with the server.
    lost: usize,
    /// Those that were not begun any more.
    refused: usize,
}

/// One of a client's callers, until the connection is gone.
async fn calls(client: Client<Busy>, ids: u64, mut random: Random) -> Told {
    let mut told = Told::default();
    for id in ids.. {
        // Who was refused is in no hurry.
        let pause = Duration::from_millis(random.below(if told.refused > 0 { 10_000 } else { 1_000 }));
        if timeout(pause, client.closed()).await.is_ok() {
            break;
        }
        let millis = random.below(LONGEST);
        let ended = match random.below(6) {
            0 | 1 => client.call(Work { id, millis }).await.map(|done| (done.id == id).then_some(0)),
            2 => client.call(Pay { id, millis }).await.map(|done| (done.id == id).then_some(0)),
            kind => {
                let (items, listens) =
                    [(1 + random.below(30), false), (u64::MAX, false), (u64::MAX, true)][kind as usize - 3];
                read(&client, Watch { id, items, millis: 100 + random.below(900), listens }).await.map(Some)
            }
        };
        match ended {
            Ok(items) => drop(told.ended.insert(id, items.expect("the answer to this very call"))),
            Err(CallError::Failed { code, .. }) if code == code::GOING_AWAY => told.refused += 1,
            Err(CallError::Disconnected { sent, why }) => {
                assert_goes(&why);
                told.lost += usize::from(sent);
                break;
            }
            Err(error) => panic!("{error:?}"),
        }
        if client.try_send(Tick {}).is_err() {
            client.closed().await;
            break;
        }
    }
    told
}

async fn read(client: &Client<Busy>, watch: Watch) -> Result<u64, CallError> {
    let mut stream = client.stream(watch);
    let mut count = 0;
    while let Some(item) = stream.next().await {
        assert_eq!(item?.n, count, "in order");
        count += 1;
    }
    Ok(count)
}

#[track_caller]
fn assert_goes(why: &Closed) {
    assert_eq!(why.code(), CloseCode::GoingAway, "{why}");
    assert!(matches!(why.retry(), Retry::After(_)), "{why:?}");
}

async fn connect(server: &MemoryServer<Busy>, number: u64, pushes: &Arc<Pushes>) -> Client<Busy> {
    let dialect = if number.is_multiple_of(2) { Dialect::Native } else { Dialect::Json };
    let builder = pnet::connect(BusyClient, Arc::clone(pushes)).dialect(dialect);
    server.connect_with(builder).await.expect("there is a place")
}

/// Calls answered and streams ended; cut off; refused.
async fn run(seed: u64) -> [usize; 3] {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut random = Random(seed);
    let (book, pushes) = (Arc::new(Book::default()), Arc::new(Pushes::default()));
    let server = Arc::new(pnet::memory::serve(BusyServer, Arc::clone(&book)));
    let (hub, handle) = (server.hub(), server.handle());
    let mut connecting = JoinSet::new();
    for number in 0..CONNECTIONS {
        let (server, pushes) = (Arc::clone(&server), Arc::clone(&pushes));
        connecting.spawn(async move { connect(&server, number, &pushes).await });
    }
    let clients = connecting.join_all().await;
    assert_eq!(hub.len() as u64, CONNECTIONS);

    let mut calling = JoinSet::new();
    for (number, client) in (0..).zip(&clients) {
        for place in 0..AT_ONCE {
            let ids = (number * AT_ONCE + place) << 32;
            calling.spawn(calls(client.clone(), ids, Random(seed ^ ids.rotate_left(17))));
        }
    }
    let pushing = tokio::spawn({
        let hub = hub.clone();
        async move {
            loop {
                hub.broadcast(&Tick {});
                sleep(Duration::from_millis(500)).await;
            }
        }
    });
    sleep(Duration::from_millis(random.below(6_000))).await;

    let started = Instant::now();
    let done = handle.shutdown(GRACE).await;
    let took = started.elapsed();
    assert!(took <= GRACE + Duration::from_millis(1), "{took:?}");
    assert_eq!((done.finished as u64, done.cut_off), (CONNECTIONS, 0));
    assert!(hub.is_empty());
    assert_eq!(book.left.load(Relaxed), CONNECTIONS);
    assert_eq!(done.calls, book.dropped.load(Relaxed), "each handler that was dropped is counted");

    let told = timeout(Duration::from_millis(1), calling.join_all()).await.expect("every call and stream has ended");
    assert!(started.elapsed() <= GRACE + Duration::from_millis(2), "{:?}", started.elapsed());
    let lost: usize = told.iter().map(|told| told.lost).sum();
    let refused = told.iter().map(|told| told.refused).sum();
    let ended: HashMap<u64, u64> = told.into_iter().flat_map(|told| told.ended).collect();
    {
        let known = book.ended.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(known.len(), ended.len());
        assert!(*known == ended, "who was answered knows it, with every item");
    }
    // What was sent in the last moment crossed the close, and was never accepted.
    assert!(lost >= done.calls && lost <= done.calls + 10, "{lost} of {} know that they are not answered", done.calls);
    for client in &clients {
        assert_goes(&*client.closed().await);
    }
    pushing.abort();
    drop((clients, server));
    let nothing_left = async {
        while tasks() != before {
            tokio::task::yield_now().await;
        }
    };
    let is_over = timeout(Duration::from_millis(1), nothing_left).await;
    assert!(is_over.is_ok(), "tasks: {before} before, {} now", tasks());
    [ended.len(), lost, refused]
}

#[test]
fn no_answered_call_is_lost() {
    let number = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let (runs, first) = (number("PNET_DRAIN", USUAL), number("PNET_DRAIN_SEED", 1));
    let started = std::time::Instant::now();
    let mut all = [0; 3];
    for seed in first..first + runs {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        // Captured, unless the test fails.
        eprintln!("seed {seed}");
        let these = runtime.block_on(run(seed));
        assert!(these.iter().all(|count| *count > 0), "no load: {these:?}");
        all.iter_mut().zip(these).for_each(|(all, count)| *all += count);
    }
    let [ended, cut_off, refused] = all;
    eprintln!("{runs} runs in {:?}: {ended} answered, {cut_off} cut off, {refused} refused", started.elapsed());
}

const USUAL: u64 = if cfg!(debug_assertions) { 20 } else { 100 };
