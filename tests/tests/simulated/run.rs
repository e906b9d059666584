//! One run: a server, some clients that work, and the faults of a schedule.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pnet::{CallError, Client, CloseCode, ConnectionId, Peer, transport::PeerAddr};
use tokio::{sync::Notify, time::timeout};
use turmoil::{Builder, net::TcpStream};

use crate::{
    faults::{CLIENTS, Kind, RECOVERY, Schedule, TROUBLE},
    net::{PORT, Simulated},
    random::Random,
    talk::{Count, Double, Note, Poll, Record, Sim, SimClient, SimServer, Tick, Ticks},
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
    ends: HashMap<String, u64>,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.streamed += other.streamed;
        self.timed_out += other.timed_out;
        self.disconnected += other.disconnected;
        self.unconnected += other.unconnected;
        self.cancelled += other.cancelled;
        for (why, count) in &other.ends {
            *self.ends.entry(why.clone()).or_default() += count;
        }
    }

    /// That the schedules have tried what they should.
    pub(crate) fn check(&self) {
        for count in [self.answered, self.streamed, self.timed_out, self.disconnected, self.unconnected, self.cancelled]
        {
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
    log: Mutex<Vec<String>>,
    totals: Mutex<Totals>,
    /// Asks the server to start again.
    restart: Notify,
    /// Asks a client to lose its transport.
    reset: [Notify; CLIENTS as usize],
    /// Asks the server to close the connection of a client.
    kick: [AtomicU64; CLIENTS as usize],
    /// The numbers of calls.
    next: AtomicU64,
}

impl World {
    fn log(&self, line: String) {
        let line = format!("{:?} {line}", turmoil::sim_elapsed().unwrap_or_default());
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn count(&self, what: impl FnOnce(&mut Totals)) {
        what(&mut self.totals.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

pub(crate) fn run(seed: u64, schedule: &Schedule) -> Outcome {
    let world = Arc::new(World {
        schedule: schedule.clone(),
        record: Arc::default(),
        log: Mutex::default(),
        totals: Mutex::default(),
        restart: Notify::new(),
        reset: Default::default(),
        kick: Default::default(),
        next: AtomicU64::new(1),
    });
    let mut sim = Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(50))
        .simulation_duration(TROUBLE + RECOVERY * 4)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(schedule.latency)
        .tcp_capacity(1024)
        .build();
    {
        let world = Arc::clone(&world);
        sim.host("server", move || server(Arc::clone(&world)));
    }
    for index in 0..CLIENTS {
        sim.client(name(index), client(Arc::clone(&world), seed, index));
    }
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
                Kind::Reset(client) => world.reset[client as usize].notify_waiters(),
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
                Kind::Restart | Kind::Reset(_) | Kind::Kick(_) => {}
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
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
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
                    tokio::spawn(ask(peer, n));
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
                // All have gone, and the last fault is long over.
                if turmoil::sim_elapsed().is_some_and(|now| now > TROUBLE + RECOVERY * 3) {
                    assert!(hub.is_empty(), "who is left: {:?}", hub.infos());
                }
            }
        };
        tokio::select! {
            biased;
            () = world.restart.notified() => {}
            () = work => {}
        }
        world.log("server restarts".to_owned());
        let began = turmoil::elapsed();
        let grace = Duration::from_secs(3);
        let shutdown = handle.shutdown(grace).await;
        assert!(turmoil::elapsed() - began <= grace + Duration::from_millis(50), "{shutdown:?} outlasts its grace");
        drop(server);
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(tasks(), before, "tasks are left");
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

/// Whether clients go on.
fn is_time() -> bool {
    turmoil::sim_elapsed().is_some_and(|now| now < TROUBLE + RECOVERY)
}

/// Connects, works, and connects again, until the trouble is over.
async fn client(world: Arc<World>, seed: u64, index: u64) -> turmoil::Result {
    let mut random = Random::new(seed ^ (index + 1) << 32);
    let mut ids: Vec<ConnectionId> = Vec::new();
    while is_time() {
        let began = turmoil::sim_elapsed().unwrap_or_default();
        let connecting = async {
            let io = TcpStream::connect(("server", PORT)).await?;
            let address = PeerAddr::Other("server".to_owned());
            let client = pnet::connect(SimClient, Ticks::default()).over(io, address).await;
            client.map_err(std::io::Error::other)
        };
        let Ok(Ok(client)) = timeout(Duration::from_secs(6), connecting).await else {
            let now = turmoil::sim_elapsed().unwrap_or_default();
            assert!(world.schedule.excuses(index, began, now), "client {index} cannot connect at {now:?}");
            world.count(|totals| totals.unconnected += 1);
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        };
        assert!(!ids.contains(&client.id()));
        ids.push(client.id());
        world.log(format!("client {index} is connected"));
        let reset = world.reset[index as usize].notified();
        tokio::select! {
            biased;
            () = reset => {
                // Nobody says goodbye.
                world.log(format!("client {index} is reset"));
            }
            () = work(&world, &client, index, &mut random) => {}
        }
        if client.is_closed() {
            let why = client.closed().await;
            let now = turmoil::sim_elapsed().unwrap_or_default();
            world.log(format!("client {index} is closed: {}", why.code()));
            assert!(world.schedule.excuses(index, began, now), "client {index} lost its connection at {now:?}: {why}");
        } else {
            let why = timeout(Duration::from_secs(60), client.close()).await.expect("closing does not hang");
            assert!(matches!(why.code(), CloseCode::Normal) || world.schedule.excuses(index, began, Duration::MAX));
        }
    }
    Ok(())
}

/// Uses a connection for a while, or until it is gone.
async fn work(world: &World, client: &Client<Sim>, index: u64, random: &mut Random) {
    for _ in 0..random.within(5..60) {
        if client.is_closed() || !is_time() {
            return;
        }
        let number = world.next.fetch_add(1_000, Ordering::Relaxed);
        match random.within(0..5) {
            0 => {
                let _ = client.send(Note { n: number }).await;
            }
            1 => {
                // Given up half-way.
                let call = client.call(Double { n: number, after_ms: 5_000 });
                if timeout(Duration::from_millis(random.within(1..3_000)), call).await.is_err() {
                    world.count(|totals| totals.cancelled += 1);
                }
            }
            2 => stream(world, client, index, number, random).await,
            _ => call(world, client, index, number, random).await,
        }
        tokio::time::sleep(Duration::from_millis(random.within(0..800))).await;
    }
}

async fn call(world: &World, client: &Client<Sim>, index: u64, number: u64, random: &mut Random) {
    let began = turmoil::sim_elapsed().unwrap_or_default();
    let calling = client.call(Double { n: number, after_ms: random.within(0..4_000) }).timeout(Duration::from_secs(20));
    let ended = timeout(Duration::from_secs(60), calling).await.expect("a call hangs");
    finish(world, index, began, ended.map(|doubled| assert_eq!(doubled.n, number * 2, "an answer of another call")));
}

async fn stream(world: &World, client: &Client<Sim>, index: u64, number: u64, random: &mut Random) {
    let began = turmoil::sim_elapsed().unwrap_or_default();
    let (items, every_ms) = (random.within(0..200), random.within(0..30));
    let slow = random.within(0..3) == 0;
    let leaves = if random.within(0..4) == 0 { random.within(0..items + 1) } else { items + 1 };
    let mut stream = client.stream(Count { n: number, items, every_ms });
    for expected in number..=number + items {
        if expected - number == leaves {
            world.count(|totals| totals.cancelled += 1);
            return;
        }
        match timeout(Duration::from_secs(60), stream.next()).await.expect("a stream hangs") {
            Some(Ok(item)) => assert_eq!(item.n, expected, "items are in order"),
            Some(Err(error)) => {
                finish(world, index, began, Err(error));
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
    }
    panic!("a stream has one item too many");
}

fn finish(world: &World, index: u64, began: Duration, ended: Result<(), CallError>) {
    let now = turmoil::sim_elapsed().unwrap_or_default();
    let shown = match &ended {
        Ok(()) => "answered".to_owned(),
        Err(error) => error.to_string(),
    };
    world.log(format!("client {index}: {shown}"));
    let excused = world.schedule.excuses(index, began, now);
    match ended {
        Ok(()) => world.count(|totals| totals.answered += 1),
        Err(CallError::TimedOut { .. }) if excused => world.count(|totals| totals.timed_out += 1),
        Err(CallError::Disconnected { .. } | CallError::Failed { .. }) if excused => {
            world.count(|totals| totals.disconnected += 1);
        }
        Err(error) => panic!("client {index} at {now:?}: {error:?}"),
    }
}
