//! How a server ends: accepts no more, lets its connections finish, and cuts off what has not at the end of the grace.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use pnet_protocol::close::{CloseCode, Retry};
use tokio::{sync::watch, time::Instant};

use super::Core;
use crate::{
    config,
    connection::Conn,
    error::{Closed, ClosedBy},
};

/// What a shutdown has done with the connections that there were when it began.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Connections that came to their end within the grace, with everything written that was due, or because their
    /// client left.
    pub finished: usize,
    /// The others: those whose peer did not read the last words, or whose disconnect handler still runs; after a grace of
    /// zero, all.
    pub cut_off: usize,
    /// Calls, streams included, that were accepted and got no answer because the time was over: their handlers were
    /// dropped, also those marked `finish`, or had to wait and had not begun. Calls that were cancelled or whose client
    /// left are not among them, unless a `finish` handler still ran for them. After a grace of zero, nobody has counted.
    pub calls: usize,
}

/// A shutdown that has begun.
#[derive(Debug)]
pub(crate) struct Ending {
    plan: watch::Sender<Plan>,
    done: watch::Receiver<Option<Shutdown>>,
}

/// When a shutdown does what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Handlers that still run are dropped, and their connections say their last words.
    work: Instant,
    /// What is left is let go of.
    cut: Instant,
    /// The shutdown is over.
    end: Instant,
}

/// Whoever waits for a shutdown's end.
pub(crate) struct Waiter(watch::Receiver<Option<Shutdown>>);

impl Plan {
    pub(crate) fn within(grace: Duration) -> Self {
        let before = |most: Duration, part: u32| config::after(grace.saturating_sub(most.min(grace / part)));
        Self { work: before(LAST_WORDS, 4), cut: before(LAST_MOMENT, 20), end: config::after(grace) }
    }

    /// Handlers are dropped at once, and what is left is for the last words.
    #[cfg(feature = "console")]
    pub(crate) fn now() -> Self {
        let cut = config::after(LAST_WORDS.saturating_sub(LAST_MOMENT));
        Self { work: config::after(Duration::ZERO), cut, end: config::after(LAST_WORDS) }
    }

    fn hurry(&mut self, other: Self) -> bool {
        let earlier = other.work < self.work || other.cut < self.cut || other.end < self.end;
        self.work = self.work.min(other.work);
        self.cut = self.cut.min(other.cut);
        self.end = self.end.min(other.end);
        earlier
    }
}

impl Ending {
    /// Begins the shutdown, or makes the one that has begun end earlier.
    pub(crate) fn begin_or_hurry(core: &Arc<Core>, plan: Plan) -> Waiter {
        let mut ending = core.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ending) = &*ending {
            if ending.plan.send_if_modified(|known| known.hurry(plan)) {
                let work = ending.plan.borrow().work;
                let conns: Vec<_> = core.live().values().cloned().collect();
                // Each was told before when to come back, and keeps to that.
                conns.iter().for_each(|conn| conn.request_drain(going_away(), work));
            }
            return Waiter(ending.done.clone());
        }
        let conns = core.stop();
        for conn in &conns {
            conn.request_drain(core.farewell(), plan.work);
        }
        let (plan, plans) = watch::channel(plan);
        let (done, waiter) = watch::channel(None);
        *ending = Some(Self { plan, done: waiter.clone() });
        let (runtime, core) = (core.runtime.get(), Arc::clone(core));
        let end = async move {
            let shutdown = core.end(&conns, plans).await;
            core.over.cancel();
            done.send_replace(Some(shutdown));
        };
        // A task of its own: neither a caller that does not wait nor a handler that does keeps the end from coming.
        if let Some(runtime) = runtime {
            runtime.spawn(end);
        }
        Waiter(waiter)
    }
}

impl Waiter {
    pub(crate) async fn wait(mut self) -> Shutdown {
        // Nobody is left to say anything if the runtime of the server is gone.
        self.0.wait_for(Option::is_some).await.ok().and_then(|done| *done).unwrap_or_default()
    }
}

impl Core {
    /// Accepts nothing any more; the connections that there are.
    pub(crate) fn stop(&self) -> Vec<Arc<Conn>> {
        self.stop.cancel();
        self.tasks.close();
        let conns: Vec<_> = self.live().values().cloned().collect();
        self.crowd.fetch_max(conns.len(), Ordering::AcqRel);
        conns
    }

    /// What one more client is told, and when it may come back.
    pub(crate) fn farewell(&self) -> Closed {
        let base = self.come_back.get().copied().unwrap_or(config::COME_BACK);
        let ordinal = self.told.fetch_add(1, Ordering::AcqRel);
        let connections = self.crowd.load(Ordering::Acquire).max(ordinal.saturating_add(1));
        going_away().with_retry(come_back(base, ordinal, connections))
    }

    /// Waits until all is done, or cuts it off in time.
    async fn end(&self, conns: &[Arc<Conn>], mut plans: watch::Receiver<Plan>) -> Shutdown {
        if !self.is_done_by(&mut plans, |plan| plan.cut).await {
            self.cut.cancel();
            let left: Vec<_> = self.live().values().cloned().collect();
            left.iter().for_each(|conn| conn.kill());
            self.is_done_by(&mut plans, |plan| plan.end).await;
        }
        let cut_off = {
            let live: HashSet<_> = self.live().values().map(|conn| conn.id).collect();
            conns.iter().filter(|conn| conn.cut.connection.load(Ordering::Acquire) || live.contains(&conn.id)).count()
        };
        Shutdown {
            finished: conns.len().saturating_sub(cut_off),
            cut_off,
            calls: conns.iter().map(|conn| conn.cut.calls()).sum(),
        }
    }

    /// Whether everything has ended before the time is over, which may come nearer meanwhile.
    async fn is_done_by(&self, plans: &mut watch::Receiver<Plan>, when: impl Fn(&Plan) -> Instant) -> bool {
        loop {
            let due = when(&plans.borrow_and_update());
            tokio::select! {
                biased;
                () = self.tasks.wait() => return true,
                () = tokio::time::sleep_until(due) => return false,
                // The sender lives as long as this.
                Ok(()) = plans.changed() => {}
            }
        }
    }
}

fn going_away() -> Closed {
    Closed::new(CloseCode::GoingAway, "the server is shutting down", ClosedBy::Here)
}

/// When the connection with this number, of so many, is told to come back. Multiples of the golden ratio are spread evenly
/// however many of them there are.
fn come_back(base: Duration, ordinal: usize, connections: usize) -> Retry {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let spread = (connections as u64).saturating_mul(10).max(1_000);
    let fraction = (ordinal as u64).wrapping_mul(GOLDEN);
    // The upper half of the product: less than the spread.
    let millis = u64::try_from((u128::from(fraction) * u128::from(spread)) >> 64).unwrap_or(spread);
    Retry::after(base.saturating_add(Duration::from_millis(millis)))
}

/// The end of the grace that belongs to what is to be written, and to the disconnect handlers.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The end of the grace that belongs to letting go.
const LAST_MOMENT: Duration = Duration::from_millis(50);
