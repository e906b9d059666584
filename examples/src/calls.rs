//! Connections that make calls all the time, and how long their answers take: first by themselves, then beside something that
//! is hard for the server.

use std::{
    fmt,
    future::Future,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{CallError, Packet};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval_at};

#[derive(Packet, Serialize, Deserialize)]
pub struct Square {
    pub n: u64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Squared {
    pub n: u64,
}

/// What the service of a server does with a [`Square`].
pub fn squared(p: &Square) -> Squared {
    Squared { n: p.n.wrapping_mul(p.n) }
}

/// What became of the calls of all connections.
#[derive(Default)]
pub struct Calls {
    is_beside: AtomicBool,
    has_ended: AtomicBool,
    alone: Mutex<Vec<Duration>>,
    beside: Mutex<Vec<Duration>>,
    failed: AtomicU64,
}

impl Calls {
    /// Makes a call every 100 ms until they are to end; `index` of `connections` says when in the 100 ms. A call counts from
    /// when it was due.
    pub async fn make<F>(&self, index: u32, connections: u32, call: impl Fn(Square) -> F)
    where
        F: Future<Output = Result<Squared, CallError>>,
    {
        let mut ticks = interval_at(Instant::now() + EVERY * index / connections, EVERY);
        let mut n = 0;
        loop {
            let due = ticks.tick().await;
            if self.has_ended.load(Relaxed) {
                return;
            }
            let delays = if self.is_beside.load(Relaxed) { &self.beside } else { &self.alone };
            match call(Square { n }).await {
                Ok(answer) if answer.n == squared(&Square { n }).n => locked(delays).push(due.elapsed()),
                answer => {
                    // The first one tells enough.
                    if self.failed.fetch_add(1, Relaxed) == 0 {
                        println!("a call failed: {:?}", answer.map(|answer| answer.n));
                    }
                }
            }
            n += 1;
        }
    }

    /// From now on they are not alone.
    pub fn go_beside(&self) {
        self.is_beside.store(true, Relaxed);
    }

    /// None is made any more.
    pub fn end(&self) {
        self.has_ended.store(true, Relaxed);
    }

    pub fn alone(&self) -> Delays {
        Delays::of(&self.alone)
    }

    pub fn beside(&self) -> Delays {
        Delays::of(&self.beside)
    }

    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }
}

/// How long calls took.
pub struct Delays {
    calls: usize,
    p50: Duration,
    pub p99: Duration,
}

impl Delays {
    fn of(delays: &Mutex<Vec<Duration>>) -> Self {
        let mut delays = locked(delays);
        delays.sort_unstable();
        let at = |percent: usize| delays.get(delays.len() * percent / 100).copied().unwrap_or_default();
        Self { calls: delays.len(), p50: at(50), p99: at(99) }
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (millis(self.p50), millis(self.p99));
        write!(f, "{} calls answered, half of them within {p50:.1} ms, 99 of 100 within {p99:.1} ms", self.calls)
    }
}

pub fn millis(delay: Duration) -> f64 {
    delay.as_secs_f64() * 1000.0
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Between two calls of one connection.
const EVERY: Duration = Duration::from_millis(100);
