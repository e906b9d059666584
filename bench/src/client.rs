//! The client's process: plays one scenario once, with a warm-up and a window in which it is measured.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    contestant::{Client as _, Contestant, Gauge, ITEM_LEN, NOTE, Result, expect},
    process,
    scenario::{Play, Scenario},
};

/// What a client tells about its window.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// What was done.
    pub done: u64,
    pub nanos: u64,
    /// CPU time of the client.
    pub cpu_nanos: u64,
    /// Latency in nanoseconds; 0 where it is not measured.
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
    /// Resident bytes of the client for each connection; 0 where that is not measured.
    pub resident: u64,
}

/// Plays a scenario. On standard output the orchestrator learns when the window begins.
pub async fn play<C: Contestant>(scenario: Scenario, addr: SocketAddr, window: Duration) -> Result<Outcome> {
    match scenario.play {
        Play::Calls { connections: 1, in_flight: 1 } => one_by_one::<C>(addr, window).await,
        Play::Calls { connections, in_flight } => calls::<C>(addr, window, connections, in_flight).await,
        Play::Echo { len, in_flight } => echo::<C>(addr, window, len, in_flight).await,
        Play::OneWay => one_way::<C>(addr, window).await,
        Play::Broadcast { connections, burst } => broadcast::<C>(addr, window, connections, burst).await,
        Play::Stream { items } => stream::<C>(addr, window, items).await,
        Play::Idle { connections } => idle::<C>(addr, connections).await,
        Play::Connect { at_once, in_all } => connects::<C>(addr, at_once, in_all).await,
        Play::Open { connections, per_second } => open::<C>(addr, window, connections, per_second).await,
    }
}

/// The window: from here to its [`end`](Window::end).
struct Window {
    start: Instant,
    cpu: u64,
}

impl Window {
    fn begin() -> Result<Self> {
        println!("begin");
        Ok(Self { cpu: process::cpu_nanos("self")?, start: Instant::now() })
    }

    fn end(self, done: u64) -> Result<Outcome> {
        let nanos = u64::try_from(self.start.elapsed().as_nanos())?;
        println!("end");
        let cpu_nanos = process::cpu_nanos("self")?.saturating_sub(self.cpu);
        Ok(Outcome { done, nanos, cpu_nanos, ..Outcome::default() })
    }
}

async fn connect<C: Contestant>(addr: SocketAddr) -> Result<C::Client> {
    C::connect(addr, Arc::default()).await
}

async fn one_by_one<C: Contestant>(addr: SocketAddr, window: Duration) -> Result<Outcome> {
    let client = connect::<C>(addr).await?;
    let mut latencies = histogram()?;
    for warm in [true, false] {
        let time = if warm { WARM_UP } else { window };
        let measured = Window::begin_unless(warm)?;
        let (start, mut done) = (Instant::now(), 0);
        let mut before = start;
        while before.duration_since(start) < time {
            expect(client.add(done, 1, NOTE).await?, done + 1)?;
            let now = Instant::now();
            if !warm {
                latencies.saturating_record(u64::try_from(now.duration_since(before).as_nanos())?);
            }
            before = now;
            done += 1;
        }
        if let Some(measured) = measured {
            return Ok(with_latencies(measured.end(u64::try_from(done)?)?, &latencies));
        }
    }
    Err("no window".into())
}

impl Window {
    fn begin_unless(warm: bool) -> Result<Option<Self>> {
        if warm { Ok(None) } else { Self::begin().map(Some) }
    }
}

/// Runs what feeds `gauge`, for the warm-up and the window.
async fn gauged(gauge: Arc<Gauge>, window: Duration, mut tasks: JoinSet<Result<()>>) -> Result<Outcome> {
    sleep(WARM_UP).await;
    let measured = Window::begin()?;
    let before = gauge.done.load(Relaxed);
    sleep(window).await;
    let outcome = measured.end(gauge.done.load(Relaxed) - before)?;
    gauge.stop.store(true, Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(outcome)
}

async fn calls<C: Contestant>(
    addr: SocketAddr,
    window: Duration,
    connections: usize,
    in_flight: usize,
) -> Result<Outcome> {
    let gauge = Arc::new(Gauge::default());
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let client = connect::<C>(addr).await?;
        tasks.spawn(client.drive(in_flight, Arc::clone(&gauge)));
    }
    gauged(gauge, window, tasks).await
}

async fn echo<C: Contestant>(addr: SocketAddr, window: Duration, len: usize, in_flight: usize) -> Result<Outcome> {
    let gauge = Arc::new(Gauge::default());
    let mut tasks = JoinSet::new();
    let client = connect::<C>(addr).await?;
    let payload = Bytes::from((0..len).map(|n| n as u8).collect::<Vec<u8>>());
    for _ in 0..in_flight {
        let (client, gauge, payload) = (client.clone(), Arc::clone(&gauge), payload.clone());
        tasks.spawn(async move {
            while !gauge.stop.load(Relaxed) {
                let len = client.echo(payload.clone()).await?;
                if len != payload.len() {
                    return Err(format!("{len} bytes came back").into());
                }
                gauge.done.fetch_add(1, Relaxed);
            }
            Ok(())
        });
    }
    gauged(gauge, window, tasks).await
}

async fn one_way<C: Contestant>(addr: SocketAddr, window: Duration) -> Result<Outcome> {
    let gauge = Arc::new(Gauge::default());
    let mut tasks = JoinSet::new();
    let client = connect::<C>(addr).await?;
    tasks.spawn(client.pour(Arc::clone(&gauge)));
    gauged(gauge, window, tasks).await
}

async fn broadcast<C: Contestant>(
    addr: SocketAddr,
    window: Duration,
    connections: usize,
    burst: u32,
) -> Result<Outcome> {
    let events = Arc::new(AtomicU64::new(0));
    let subscribers = at_once(connections, || {
        let events = Arc::clone(&events);
        async move {
            let client = C::connect(addr, events).await?;
            client.subscribe().await?;
            Ok(client)
        }
    });
    let _subscribers = subscribers.await?;
    let publisher = connect::<C>(addr).await?;
    let each = u64::try_from(connections)? * u64::from(burst);
    let mut expected = 0;
    for warm in [true, false] {
        let time = if warm { WARM_UP } else { window };
        let measured = Window::begin_unless(warm)?;
        let (start, mut rounds) = (Instant::now(), 0);
        while start.elapsed() < time {
            publisher.publish(burst).await?;
            expected += each;
            rounds += 1;
            let begin = Instant::now();
            while events.load(Relaxed) < expected {
                if begin.elapsed() > PATIENCE {
                    return Err(format!("{} of {expected} events came", events.load(Relaxed)).into());
                }
                tokio::task::yield_now().await;
            }
        }
        if let Some(measured) = measured {
            return measured.end(rounds * each);
        }
    }
    Err("no window".into())
}

async fn stream<C: Contestant>(addr: SocketAddr, window: Duration, items: u64) -> Result<Outcome> {
    let client = connect::<C>(addr).await?;
    for warm in [true, false] {
        let time = if warm { WARM_UP } else { window };
        let measured = Window::begin_unless(warm)?;
        let (start, mut done) = (Instant::now(), 0);
        while start.elapsed() < time {
            let came = client.stream(items).await?;
            if came != items {
                return Err(format!("{came} of {items} items of {ITEM_LEN} bytes came").into());
            }
            done += came;
        }
        if let Some(measured) = measured {
            return measured.end(done);
        }
    }
    Err("no window".into())
}

async fn idle<C: Contestant>(addr: SocketAddr, connections: usize) -> Result<Outcome> {
    // What the first connections set up once is no cost of the others.
    let first = many::<C>(addr, 100).await?;
    sleep(SETTLED).await;
    let measured = Window::begin()?;
    let before = process::resident("self")?;
    let clients = many::<C>(addr, connections).await?;
    sleep(SETTLED).await;
    let resident = process::resident("self")?.saturating_sub(before) / u64::try_from(connections)?;
    let outcome = measured.end(u64::try_from(connections)?)?;
    drop((first, clients));
    Ok(Outcome { resident, ..outcome })
}

/// Connections that have made one call each.
async fn many<C: Contestant>(addr: SocketAddr, connections: usize) -> Result<Vec<C::Client>> {
    at_once(connections, || async move {
        let client = connect::<C>(addr).await?;
        expect(client.add(1, 2, NOTE).await?, 3)?;
        Ok(client)
    })
    .await
}

/// Makes so many things, some of them side by side.
async fn at_once<T, F>(count: usize, make: impl Fn() -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let (mut tasks, mut made) = (JoinSet::new(), Vec::with_capacity(count));
    for _ in 0..count {
        if tasks.len() == SIDE_BY_SIDE {
            made.extend(tasks.join_next().await.transpose()?.transpose()?);
        }
        tasks.spawn(make());
    }
    while let Some(ended) = tasks.join_next().await {
        made.push(ended??);
    }
    Ok(made)
}

async fn connects<C: Contestant>(addr: SocketAddr, at_once: usize, in_all: u64) -> Result<Outcome> {
    drop(many::<C>(addr, 50).await?);
    let measured = Window::begin()?;
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let each = in_all / u64::try_from(at_once)?;
        tasks.spawn(async move {
            for _ in 0..each {
                let client = connect::<C>(addr).await?;
                expect(client.add(1, 2, NOTE).await?, 3)?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    measured.end(in_all)
}

/// Calls at a fixed rate, whether answers come or not. Latency counts from when the call was due.
async fn open<C: Contestant>(
    addr: SocketAddr,
    window: Duration,
    connections: usize,
    per_second: u64,
) -> Result<Outcome> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(connect::<C>(addr).await?);
    }
    // Every millisecond what is due by then.
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut latencies, mut tasks) = (histogram()?, JoinSet::new());
    let (start, mut asked, mut measured) = (Instant::now(), 0_u64, None);
    let (mut done, end) = (0, WARM_UP + window);
    loop {
        ticks.tick().await;
        let elapsed = start.elapsed();
        if elapsed >= end {
            break;
        }
        if measured.is_none() && elapsed >= WARM_UP {
            measured = Some(Window::begin()?);
        }
        let due = u64::try_from(elapsed.as_micros())? * per_second / 1_000_000;
        while asked < due {
            let client = clients[usize::try_from(asked)? % connections].clone();
            let planned = start + Duration::from_micros(asked * 1_000_000 / per_second);
            let counts = planned.duration_since(start) >= WARM_UP;
            tasks.spawn(async move {
                expect(client.add(1, 2, NOTE).await?, 3)?;
                let latency = u64::try_from(planned.elapsed().as_nanos())?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(counts.then_some(latency))
            });
            asked += 1;
        }
        while let Some(ended) = tasks.try_join_next() {
            if let Some(latency) = ended?? {
                latencies.saturating_record(latency);
                done += 1;
            }
        }
    }
    let outcome = measured.ok_or("the window is too short")?.end(done)?;
    let rest = async {
        while let Some(ended) = tasks.join_next().await {
            if let Some(latency) = ended?? {
                latencies.saturating_record(latency);
            }
        }
        Result::Ok(())
    };
    timeout(PATIENCE, rest).await??;
    Ok(with_latencies(outcome, &latencies))
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

fn with_latencies(outcome: Outcome, latencies: &Histogram<u64>) -> Outcome {
    let at = |quantile| latencies.value_at_quantile(quantile);
    Outcome { p50: at(0.5), p99: at(0.99), p999: at(0.999), ..outcome }
}

/// Connections that are opened side by side.
const SIDE_BY_SIDE: usize = 128;
const WARM_UP: Duration = Duration::from_millis(150);
/// Until memory has settled.
const SETTLED: Duration = Duration::from_millis(300);
/// What takes longer will not happen any more.
const PATIENCE: Duration = Duration::from_secs(20);
