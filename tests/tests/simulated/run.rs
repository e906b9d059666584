//! One run: a server, some clients that work, and the faults of a schedule.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pnet::{Backoff, CallError, Client, CloseCode, ConnectionId, Dialect, LinkState, Packet, Peer, Protocol, Refused};
use pnet_protocol::frame::Frame;
use tokio::{
    io::AsyncWriteExt,
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};
use turmoil::Builder;

use crate::{
    faults::{CLIENTS, Kind, SLOW, Schedule, Style, TROUBLE},
    net::{Cord, Simulated, shaken},
    random::Random,
    talk::{Count, Double, Note, Poll, Pushes, Record, Sim, SimClient, SimServer, Tail, Tick},
};

/// What has become of a run.
pub(crate) struct Outcome {
    pub(crate) log: Vec<String>,
    pub(crate) totals: Totals,
}

/// How often what has happened.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    answered: u64,
    streamed: u64,
    timed_out: u64,
    disconnected: u64,
    unconnected: u64,
    cancelled: u64,
    /// Streams of clients that the server has read to their end.
    read: u64,
    /// Connections that clients have made again by themselves.
    again: u64,
    /// Connections in JSON.
    json: u64,
    /// Connections that never read.
    dead: u64,
    ends: BTreeMap<String, u64>,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.streamed += other.streamed;
        self.timed_out += other.timed_out;
        self.disconnected += other.disconnected;
        self.unconnected += other.unconnected;
        self.cancelled += other.cancelled;
        self.read += other.read;
        self.again += other.again;
        self.json += other.json;
        self.dead += other.dead;
        for (why, count) in &other.ends {
            *self.ends.entry(why.clone()).or_default() += count;
        }
    }

    /// That the schedules have tried what they should.
    pub(crate) fn check(&self) {
        for count in [
            self.answered,
            self.streamed,
            self.timed_out,
            self.disconnected,
            self.unconnected,
            self.cancelled,
            self.read,
            self.again,
            self.json,
            self.dead,
        ] {
            assert!(count > 0, "{self:?}");
        }
        for why in ["timeout", "going-away", "lost", "normal"] {
            assert!(self.ends.contains_key(why), "no connection has ended with {why}: {self:?}");
        }
    }
}

/// What the hosts of a run share with whoever looks at it.
struct World {
    schedule: Schedule,
    record: Arc<Record>,
    /// Shows the log as it is written.
    talks: bool,
    log: Mutex<Vec<String>>,
    totals: Mutex<Totals>,
    /// Asks the server to start again.
    restart: Notify,
    /// Asks a client to lose its transport.
    cut: [watch::Sender<u64>; CLIENTS as usize],
    /// Asks for a connection that does not read, until then.
    dead: [watch::Sender<Duration>; CLIENTS as usize],
    /// Asks the server to close the connection of a client.
    kick: [AtomicU64; CLIENTS as usize],
    /// The numbers of calls.
    next: AtomicU64,
    /// The clients that are done.
    done: AtomicU64,
    /// All are done: nothing of them may be left at the server.
    finish: Notify,
    finished: Notify,
}

impl World {
    fn log(&self, line: String) {
        let line = format!("{:?} {line}", now());
        if self.talks {
            eprintln!("{line}");
        }
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn count(&self, what: impl FnOnce(&mut Totals)) {
        what(&mut self.totals.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The tasks of this host.
fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// The time of the whole simulation; that of a host starts again when it does.
fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

pub(crate) fn run(seed: u64, schedule: &Schedule) -> Outcome {
    let world = Arc::new(World {
        schedule: schedule.clone(),
        record: Arc::default(),
        talks: std::env::var_os("PNET_SIM_LOG").is_some(),
        log: Mutex::default(),
        totals: Mutex::default(),
        restart: Notify::new(),
        cut: Default::default(),
        dead: Default::default(),
        kick: Default::default(),
        next: AtomicU64::new(1),
        done: AtomicU64::new(0),
        finish: Notify::new(),
        finished: Notify::new(),
    });
    let mut sim = Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(100))
        .simulation_duration(Duration::from_secs(1_000))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(schedule.latency)
        .tcp_capacity(4096)
        .build();
    {
        let world = Arc::clone(&world);
        sim.host("server", move || server(Arc::clone(&world)));
    }
    for index in 0..CLIENTS {
        sim.client(name(index), host(Arc::clone(&world), seed, index));
    }
    sim.client("observer", observe(Arc::clone(&world)));
    let mut begun = schedule.faults.iter().copied().peekable();
    let mut ending: Vec<_> = schedule.faults.clone();
    ending.sort_by_key(|fault| fault.until);
    let mut ending = ending.into_iter().peekable();
    loop {
        let now = sim.elapsed();
        while let Some(fault) = begun.next_if(|fault| fault.at <= now) {
            match fault.kind {
                Kind::Hold(client) => sim.hold(name(client), "server"),
                Kind::Partition(client) => sim.partition(name(client), "server"),
                Kind::Deaf(client) => sim.partition_oneway(name(client), "server"),
                Kind::Mute(client) => sim.partition_oneway("server", name(client)),
                Kind::Crash => sim.crash("server"),
                Kind::Restart => world.restart.notify_waiters(),
                Kind::Reset(client) => world.cut[client as usize].send_modify(|times| *times += 1),
                Kind::Dead(client) => drop(world.dead[client as usize].send_replace(fault.until)),
                Kind::Stall(_) => {}
                Kind::Slow => sim.set_max_message_latency(SLOW),
                Kind::Kick(client) => {
                    world.kick[client as usize].fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        while let Some(fault) = ending.next_if(|fault| fault.until <= now) {
            match fault.kind {
                Kind::Hold(client) => sim.release(name(client), "server"),
                Kind::Partition(client) | Kind::Deaf(client) | Kind::Mute(client) => sim.repair(name(client), "server"),
                Kind::Crash => sim.bounce("server"),
                Kind::Slow => sim.set_max_message_latency(schedule.latency),
                Kind::Restart | Kind::Reset(_) | Kind::Kick(_) | Kind::Stall(_) | Kind::Dead(_) => {}
            }
        }
        if sim.step().expect("no host fails") {
            break;
        }
    }
    drop(sim);
    let happened = world.record.open();
    for (call, times) in &happened.handled {
        assert_eq!(*times, 1, "call {call} was handled more than once");
    }
    let mut totals = std::mem::take(&mut *world.totals.lock().expect("no panic"));
    for why in &happened.left {
        *totals.ends.entry(why.code().to_string()).or_default() += 1;
    }
    let log = std::mem::take(&mut *world.log.lock().expect("no panic"));
    Outcome { log, totals }
}

fn name(client: u64) -> String {
    format!("client-{client}")
}

/// Serves, and starts again when asked to. Once all clients are gone, nothing is left of them.
async fn server(world: Arc<World>) -> turmoil::Result {
    let before = tasks();
    loop {
        let listener = Simulated::bind().await?;
        let server = pnet::serve(SimServer, Arc::clone(&world.record)).listen(listener);
        let handle = server.handle();
        let hub = server.hub();
        let mut n = 0;
        let mut kicked = [0; CLIENTS as usize];
        let work = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                n += 1;
                hub.broadcast(&Tick { n });
                for peer in hub.peers() {
                    if n % 5 == 0 {
                        tokio::spawn(read(Arc::clone(&world), peer.clone(), n));
                    }
                    if n % 2 == 0 {
                        tokio::spawn(ask(peer, n));
                    }
                }
                for (client, known) in kicked.iter_mut().enumerate() {
                    let asked = world.kick[client].load(Ordering::Relaxed);
                    if *known != asked {
                        *known = asked;
                        let address = turmoil::lookup(name(client as u64));
                        for peer in hub.peers() {
                            if peer.addr().ip() == Some(address) {
                                peer.close(CloseCode::Normal, "kicked");
                            }
                        }
                    }
                }
            }
        };
        let finish = tokio::select! {
            biased;
            () = world.restart.notified() => false,
            () = world.finish.notified() => true,
            () = work => false,
        };
        if finish {
            assert!(hub.is_empty(), "who is left: {:?}", hub.infos());
        }
        world.log("server restarts".to_owned());
        let began = turmoil::elapsed();
        let grace = Duration::from_secs(3);
        let shutdown = handle.shutdown(grace).await;
        assert!(turmoil::elapsed() - began <= grace + Duration::from_millis(50), "{shutdown:?} outlasts its grace");
        drop(server);
        // What the server itself has asked ends as well.
        drop(hub);
        nothing_is_left(before).await;
        if finish {
            world.finished.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// The server asks a client, which answers or is gone.
async fn ask(peer: Peer<Sim>, n: u64) {
    match timeout(Duration::from_secs(60), peer.call(Poll { n }).timeout(Duration::from_secs(20))).await {
        Err(_) => panic!("a call of the server hangs"),
        Ok(Ok(number)) => assert_eq!(number.n, n + 1),
        Ok(Err(CallError::Disconnected { .. } | CallError::TimedOut { .. } | CallError::Failed { .. })) => {}
        Ok(Err(error)) => panic!("{error:?}"),
    }
}

/// The server reads a stream of a client to its end, or is told why there is none.
async fn read(world: Arc<World>, peer: Peer<Sim>, n: u64) {
    let mut stream = peer.stream(Tail { n, items: 80 }).timeout(Duration::from_secs(30));
    for expected in n..=n + 80 {
        match timeout(Duration::from_secs(60), stream.next()).await {
            Err(_) => panic!("a stream of the server hangs"),
            Ok(Some(Ok(number))) => assert_eq!(number.n, expected),
            Ok(Some(Err(CallError::Disconnected { .. } | CallError::TimedOut { .. } | CallError::Failed { .. }))) => {
                return;
            }
            Ok(Some(Err(error))) => panic!("{error:?}"),
            Ok(None) => {
                assert_eq!(expected, n + 80, "a stream ends when it is at its end");
                world.count(|totals| totals.read += 1);
                return;
            }
        }
    }
    panic!("a stream has one item too many");
}

/// Waits a little for the tasks of what is over.
async fn nothing_is_left(before: usize) {
    for _ in 0..40 {
        if tasks() == before {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(tasks(), before, "tasks are left");
}

/// Once all clients are done and the dead connections' time is over, the server has to be as it was in the beginning.
async fn observe(world: Arc<World>) -> turmoil::Result {
    while world.done.load(Ordering::Relaxed) < CLIENTS {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(50)).await;
    world.finish.notify_one();
    timeout(Duration::from_secs(60), world.finished.notified()).await.expect("the server finishes");
    Ok(())
}

async fn host(world: Arc<World>, seed: u64, index: u64) -> turmoil::Result {
    let before = tasks();
    let dead = tokio::spawn(dead(Arc::clone(&world), index));
    let pushes = Arc::new(Pushes::default());
    client(&world, seed, index, &pushes).await;
    dead.abort();
    let _ = dead.await;
    nothing_is_left(before).await;
    let pushed = pushes.open();
    assert!(pushed.wrong.is_empty(), "client {index}: {:?}", pushed.wrong);
    assert_eq!(pushed.joined, pushed.left, "whoever was let in leaves once");
    assert!(pushed.joined > 0);
    drop(pushed);
    world.done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Connections that ask for a lot and read nothing.
async fn dead(world: Arc<World>, index: u64) {
    let mut asked = world.dead[index as usize].subscribe();
    while asked.changed().await.is_ok() {
        let until = *asked.borrow_and_update();
        let dying = async {
            let mut io = shaken().await?;
            let mut bytes = Vec::new();
            let mut call = |id, action, encode: &dyn Fn(&mut Vec<u8>)| {
                let mut payload = Vec::new();
                encode(&mut payload);
                let action = Sim::INFO.client.find(action).expect("the protocol has it");
                Frame::Call { id, action, timeout_ms: 0, payload: &payload }.encode(&mut bytes);
            };
            for id in 1..8 {
                let n = world.next.fetch_add(1_000, Ordering::Relaxed);
                if id % 2 == 0 {
                    let double = Double { n, after_ms: 1_000 };
                    call(id, Double::ACTION, &|into| double.encode(Double::CODEC, into).expect("encodes"));
                } else {
                    let count = Count { n, items: 500, every_ms: 10 };
                    call(id, Count::ACTION, &|into| count.encode(Count::CODEC, into).expect("encodes"));
                }
            }
            io.write_all(&bytes).await?;
            world.count(|totals| totals.dead += 1);
            world.log(format!("client {index} has a dead connection"));
            std::future::pending::<std::io::Result<()>>().await
        };
        let _ = timeout(until.saturating_sub(now()), dying).await;
    }
}

/// How one client is doing, over all its connections.
struct Doing {
    world: Arc<World>,
    index: u64,
    ids: Mutex<HashSet<ConnectionId>>,
    pushes: Arc<Pushes>,
    /// The attempts of the current client that comes back by itself.
    attempts: Mutex<Vec<Duration>>,
}

impl Doing {
    fn style(&self) -> Style {
        self.world.schedule.styles[self.index as usize]
    }

    /// Whether the client goes on.
    fn is_time(&self) -> bool {
        let schedule = &self.world.schedule;
        now() < TROUBLE.max(schedule.calm()) + schedule.recovery(self.index)
    }

    /// Whether it has a lot to do. Afterwards it only looks whether all is well.
    fn is_busy(&self) -> bool {
        now() < TROUBLE.max(self.world.schedule.calm()) + Duration::from_secs(10)
    }

    fn excused(&self, since: Duration) -> bool {
        self.world.schedule.excuses(self.index, since, now())
    }

    fn connected(&self, id: ConnectionId) {
        assert!(self.ids.lock().expect("no panic").insert(id), "an id of an earlier connection");
        let json = self.style().json;
        self.world.count(|totals| totals.json += u64::from(json));
        self.world.log(format!("client {} is connected", self.index));
    }

    async fn connect(self: &Arc<Self>, seed: u64) -> std::io::Result<Client<Sim>> {
        let dialect = if self.style().json { Dialect::Json } else { Dialect::Native };
        let builder = pnet::connect(SimClient, Arc::clone(&self.pushes)).dialect(dialect);
        let cut = self.world.cut[self.index as usize].subscribe();
        if !self.style().reconnects {
            let (io, address) = Cord::connect(cut).await?;
            let client = builder.over(io, address).await.map_err(std::io::Error::other)?;
            self.connected(client.id());
            return Ok(client);
        }
        let (dialled, hooked) = (Arc::clone(self), Arc::clone(self));
        builder
            .reconnect(Backoff::default().seed(seed))
            .connected(move |client: Client<Sim>| {
                let doing = Arc::clone(&hooked);
                async move {
                    let n = doing.world.next.fetch_add(1_000, Ordering::Relaxed);
                    let called = client.call(Double { n, after_ms: 0 }).timeout(Duration::from_secs(5)).await;
                    called.map_err(|error| Refused::new(error.to_string()))?;
                    doing.connected(client.id());
                    Ok(())
                }
            })
            .via(move || {
                dialled.attempts.lock().expect("no panic").push(now());
                Cord::connect(cut.clone())
            })
            .await
            .map_err(std::io::Error::other)
    }

    /// A client that comes back by itself does not do so too often.
    fn check_attempts(&self) {
        let attempts = std::mem::take(&mut *self.attempts.lock().expect("no panic"));
        // The one that has led to the last good connection, and those after its end.
        for (millis, most) in [(500, 2), (2_000, 4), (10_000, 6)] {
            let window = Duration::from_millis(millis);
            for from in &attempts {
                let count = attempts.iter().filter(|at| *at >= from && **at < *from + window).count();
                assert!(count <= most, "client {}: {count} attempts in {window:?}: {attempts:?}", self.index);
            }
        }
        let again = attempts.len().saturating_sub(1) as u64;
        self.world.count(|totals| totals.again += again);
    }
}

/// Connects, works, and connects again, until the trouble is over.
async fn client(world: &Arc<World>, seed: u64, index: u64, pushes: &Arc<Pushes>) {
    let mut random = Random::new(seed ^ (index + 1) << 32);
    let (ids, pushes, attempts) = (Mutex::default(), Arc::clone(pushes), Mutex::default());
    let doing = Arc::new(Doing { world: Arc::clone(world), index, ids, pushes, attempts });
    while doing.is_time() {
        let began = now();
        let connecting = doing.connect(random.within(0..u64::MAX));
        // With the hook's call, and one of a handshake in the old form.
        let Ok(Ok(client)) = timeout(Duration::from_secs(12), connecting).await else {
            assert!(doing.excused(began), "client {index} cannot connect at {:?}", now());
            world.count(|totals| totals.unconnected += 1);
            doing.attempts.lock().expect("no panic").clear();
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        };
        let watching = tokio::spawn(watch_states(Arc::clone(&doing), client.states()));
        work(&doing, &client, &mut random).await;
        if client.is_closed() {
            let why = client.closed().await;
            world.log(format!("client {index} is closed: {}", why.code()));
            assert!(doing.excused(began), "client {index} lost its connection at {:?}: {why}", now());
        } else {
            if !doing.is_time() && doing.style().reconnects {
                let state = client.states().borrow().clone();
                assert!(matches!(state, LinkState::Up), "client {index} is not back at {:?}: {state:?}", now());
            }
            let why = timeout(Duration::from_secs(60), client.close()).await.expect("closing does not hang");
            assert!(matches!(why.code(), CloseCode::Normal) || doing.excused(began), "{why}");
        }
        drop(client);
        timeout(Duration::from_secs(60), watching).await.expect("it ends").expect("no panic");
        doing.check_attempts();
    }
}

/// What is said about a client makes sense.
async fn watch_states(doing: Arc<Doing>, mut states: watch::Receiver<LinkState>) {
    let mut last = 0;
    loop {
        let state = states.borrow_and_update().clone();
        let shown = match state {
            LinkState::Up => {
                last = 0;
                "up".to_owned()
            }
            LinkState::Connecting => "connecting".to_owned(),
            LinkState::Waiting { attempt, retry_at, why } => {
                // One that was up in between need not have been seen, nor a short one's end.
                assert!(attempt >= 1 && (attempt == 1 || attempt > last), "{attempt} after {last}");
                let pause = retry_at.saturating_duration_since(tokio::time::Instant::now());
                assert!(pause <= Duration::from_secs(60), "{pause:?}");
                last = attempt;
                format!("waiting {attempt} for {pause:?}: {why}")
            }
            LinkState::Closed(closed) => {
                doing.world.log(format!("client {} is {}", doing.index, closed.code()));
                return;
            }
            state => panic!("{state:?}"),
        };
        doing.world.log(format!("client {} is {shown}", doing.index));
        states.changed().await.expect("it ends with a state");
    }
}

/// Uses a client for a while, or until it is gone.
async fn work(doing: &Arc<Doing>, client: &Client<Sim>, random: &mut Random) {
    let world = &doing.world;
    let mut left = random.within(5..60);
    while left > 0 && doing.is_time() && !client.is_closed() {
        // One that comes back by itself stays.
        left -= u64::from(!doing.style().reconnects);
        let number = world.next.fetch_add(1_000, Ordering::Relaxed);
        if !doing.is_busy() {
            call(doing, client, number, 10).await;
            tokio::time::sleep(Duration::from_secs(6)).await;
            continue;
        }
        match random.within(0..6) {
            0 => {
                let sending = timeout(Duration::from_secs(60), client.send(Note { n: number })).await;
                let _ = sending.expect("a packet hangs");
            }
            1 => {
                // Given up half-way.
                let call = client.call(Double { n: number, after_ms: 5_000 });
                if timeout(Duration::from_millis(random.within(1..3_000)), call).await.is_err() {
                    world.count(|totals| totals.cancelled += 1);
                }
            }
            2 => stream(doing, client, number, random).await,
            3 => {
                let mut calls = JoinSet::new();
                for n in 0..random.within(2..10) {
                    let (doing, client, after_ms) = (Arc::clone(doing), client.clone(), random.within(0..2_000));
                    calls.spawn(async move { call(&doing, &client, number + n, after_ms).await });
                }
                while let Some(called) = calls.join_next().await {
                    called.expect("no panic");
                }
            }
            _ => call(doing, client, number, random.within(0..4_000)).await,
        }
        tokio::time::sleep(Duration::from_millis(random.within(0..1_600))).await;
    }
}

async fn call(doing: &Doing, client: &Client<Sim>, number: u64, after_ms: u64) {
    let began = now();
    let calling = client.call(Double { n: number, after_ms }).timeout(Duration::from_secs(20));
    let ended = timeout(Duration::from_secs(60), calling).await.expect("a call hangs");
    finish(doing, began, ended.map(|doubled| assert_eq!(doubled.n, number * 2, "an answer of another call")));
}

async fn stream(doing: &Doing, client: &Client<Sim>, number: u64, random: &mut Random) {
    let (world, began) = (&doing.world, now());
    let (items, every_ms) = (random.within(0..200), random.within(0..30));
    let slow = random.within(0..3) == 0;
    let leaves = if random.within(0..4) == 0 { random.within(0..items + 1) } else { items + 1 };
    let mut stream = client.stream(Count { n: number, items, every_ms });
    for expected in number..=number + items {
        if expected - number == leaves {
            world.count(|totals| totals.cancelled += 1);
            return;
        }
        // It has no time limit, and one that is opened while the client is down waits for as long as that takes.
        let next = timeout(Duration::from_secs(200), stream.next()).await;
        match next.unwrap_or_else(|_| panic!("a stream of client {} hangs at {:?}", doing.index, now())) {
            Some(Ok(item)) => assert_eq!(item.n, expected, "items are in order"),
            Some(Err(error)) => {
                finish(doing, began, Err(error));
                return;
            }
            None => {
                assert_eq!(expected, number + items, "a stream ends when it is at its end");
                world.count(|totals| totals.streamed += 1);
                return;
            }
        }
        if slow {
            tokio::time::sleep(Duration::from_millis(random.within(0..50))).await;
        }
        while world.schedule.stalls(doing.index, now()) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    panic!("a stream has one item too many");
}

fn finish(doing: &Doing, began: Duration, ended: Result<(), CallError>) {
    let (world, index) = (&doing.world, doing.index);
    let shown = match &ended {
        Ok(()) => "answered".to_owned(),
        Err(error) => error.to_string(),
    };
    world.log(format!("client {index}: {shown}"));
    let excused = doing.excused(began);
    match ended {
        Ok(()) => world.count(|totals| totals.answered += 1),
        Err(CallError::TimedOut { .. }) if excused => world.count(|totals| totals.timed_out += 1),
        Err(CallError::Disconnected { .. } | CallError::Failed { .. }) if excused => {
            world.count(|totals| totals.disconnected += 1);
        }
        Err(error) => panic!("client {index} at {:?}: {error:?}", now()),
    }
}
