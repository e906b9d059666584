//! What all connections of a server hold in memory for their peers, and what is done when it is too much.
//!
//! Each connection has an [`Account`], which tells the [`Budget`] what the connection holds, in large steps. From three
//! quarters of the budget on drivers stop reading; at the whole of it pushes are refused, and the connection that holds most
//! has to go. Who sees to that is a task, the keeper, which is there from three quarters on and ends below.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::Waker,
    time::Duration,
};

use bytes::Bytes;
use pnet_protocol::close::CloseCode;
use tokio::{runtime::Handle, sync::Notify, time::Instant};

use super::Conn;
use crate::{
    config,
    counts::{Counts, Met},
    error::{Closed, ClosedBy},
};

/// The bytes that a server's connections may hold together.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// How often it has fallen below three quarters.
    falls: AtomicU64,
    /// Whether the keeper is there.
    kept: AtomicBool,
    /// Wakes the keeper.
    changed: Notify,
    /// How many accounts there have been: they are numbered.
    accounts: AtomicU64,
    waiting: Mutex<Waiting>,
    conns: Live,
    runtime: Handle,
    counts: Counts,
}

/// Gives the connections that there are.
pub(crate) type Live = Box<dyn Fn() -> Vec<Arc<Conn>> + Send + Sync>;

/// The drivers that wait, one waker each.
#[derive(Debug, Default)]
struct Waiting {
    /// To read on.
    readers: HashMap<u64, Waker>,
    /// To tell those who push that there is room.
    senders: HashMap<u64, Waker>,
}

/// One connection's part of the budget.
#[derive(Debug)]
pub(crate) struct Account {
    /// A client has none.
    budget: Option<Arc<Budget>>,
    number: u64,
    /// What the budget knows of.
    settled: usize,
}

/// A frame that waits in the queues of many connections, and counts once.
struct Shared {
    frame: Box<[u8]>,
    budget: Arc<Budget>,
}

impl Budget {
    pub(crate) fn new(bytes: usize, conns: Live, counts: Counts) -> Self {
        Self {
            limit: bytes.max(LEAST),
            used: AtomicUsize::new(0),
            falls: AtomicU64::new(0),
            kept: AtomicBool::new(false),
            changed: Notify::new(),
            accounts: AtomicU64::new(0),
            waiting: Mutex::default(),
            conns,
            runtime: Handle::current(),
            counts,
        }
    }

    /// What is held now, as far as it was settled.
    pub(crate) fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    /// From here on nothing is read.
    const fn low(&self) -> usize {
        self.limit / 4 * 3
    }

    pub(crate) fn is_tight(&self) -> bool {
        self.used() >= self.low()
    }

    fn is_full(&self) -> bool {
        self.used() >= self.limit
    }

    fn add(self: &Arc<Self>, bytes: usize) {
        let before = self.used.fetch_add(bytes, SeqCst);
        let now = before.saturating_add(bytes);
        if before < self.low() && now >= self.low() {
            self.counts.met(Met::MaxMemory);
        }
        if before < self.low() && now >= self.low() && !self.kept.swap(true, SeqCst) {
            self.runtime.spawn(Arc::clone(self).keep());
        }
        if before < self.limit && now >= self.limit {
            self.changed.notify_one();
        }
    }

    fn sub(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, SeqCst);
        let now = before.saturating_sub(bytes);
        if before >= self.low() && now < self.low() {
            self.falls.fetch_add(1, SeqCst);
            self.changed.notify_one();
        }
        if before >= self.limit && now < self.limit {
            self.changed.notify_one();
        }
    }

    /// Wakes who waits, and closes who holds most, until the budget is three quarters full at most.
    async fn keep(self: Arc<Self>) {
        let mut falls = self.falls.load(SeqCst);
        let mut since = Instant::now();
        loop {
            if !self.is_full() {
                self.wake(|waiting| &mut waiting.senders);
            }
            if !self.is_tight() {
                self.wake(|waiting| &mut waiting.readers);
                self.kept.store(false, SeqCst);
                if !self.is_tight() || self.kept.swap(true, SeqCst) {
                    return;
                }
            }
            let fallen = self.falls.load(SeqCst);
            if fallen != falls {
                (falls, since) = (fallen, Instant::now());
            }
            if self.is_full() {
                let reason = format!("more than {} bytes wait at this server, and most of them here", self.limit);
                self.shed(Closed::new(CloseCode::SlowConsumer, reason, ClosedBy::Here)).await;
            } else if since.elapsed() >= PATIENCE {
                let reason =
                    format!("of {} bytes three quarters are in use for too long, most of them here", self.limit);
                self.shed(Closed::new(CloseCode::SlowConsumer, reason, ClosedBy::Here)).await;
                since += PAUSE;
            } else {
                // Whether it is the time or the change is seen above.
                let _ = tokio::time::timeout_at(since + PATIENCE, self.changed.notified()).await;
            }
        }
    }

    /// Closes the connection that holds most, and waits until it has let go of it.
    async fn shed(&self, closed: Closed) {
        let largest = {
            let held = (self.conns)().into_iter().filter_map(|conn| {
                let held = conn.out().holds()?;
                Some((held, conn))
            });
            held.filter(|(held, _)| *held > 0).max_by_key(|(held, _)| *held)
        };
        // A driver may be kept from its end by a handler that does not yield.
        match largest {
            Some((held, conn)) => {
                tracing::warn!(id = %conn.id, held, %closed, "the memory for connections is used up");
                self.counts.met(Met::MaxMemory);
                conn.cut_off(closed);
                let _ = tokio::time::timeout(PAUSE, conn.written()).await;
            }
            None => {
                let _ = tokio::time::timeout(PAUSE, self.changed.notified()).await;
            }
        }
    }

    fn wake(&self, which: impl FnOnce(&mut Waiting) -> &mut HashMap<u64, Waker>) {
        let woken = std::mem::take(which(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner)));
        woken.into_values().for_each(Waker::wake);
    }

    fn wait(&self, number: u64, waker: &Waker, which: impl FnOnce(&mut Waiting) -> &mut HashMap<u64, Waker>) {
        which(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner)).insert(number, waker.clone());
    }
}

impl Account {
    pub(crate) fn new(budget: Option<Arc<Budget>>) -> Self {
        let number = budget.as_ref().map_or(0, |budget| budget.accounts.fetch_add(1, SeqCst));
        Self { budget, number, settled: 0 }
    }

    /// Whether anybody wants to know.
    #[inline]
    pub(crate) const fn counts(&self) -> bool {
        self.budget.is_some()
    }

    /// Tells the budget what the connection holds, if that has changed enough to be worth it.
    #[inline]
    pub(crate) fn settle(&mut self, held: usize) {
        if held.abs_diff(self.settled) >= GRAIN || held == 0 && self.settled != 0 {
            self.tell(held);
        }
    }

    fn tell(&mut self, held: usize) {
        if let Some(budget) = &self.budget {
            let before = std::mem::replace(&mut self.settled, held);
            if held > before { budget.add(held - before) } else { budget.sub(before - held) }
        }
    }

    /// Whether nothing more is taken for any connection.
    pub(crate) fn is_full(&self) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.is_full())
    }

    /// Wakes the driver when something may be read again. `false`: that is so already.
    pub(crate) fn wait_to_read(&self, driver: &Waker) -> bool {
        let Some(budget) = &self.budget else { return false };
        budget.wait(self.number, driver, |waiting| &mut waiting.readers);
        budget.is_tight()
    }

    /// Wakes the driver when something is taken again. `false`: that is so already.
    pub(crate) fn wait_to_send(&self, driver: &Waker) -> bool {
        let Some(budget) = &self.budget else { return false };
        budget.wait(self.number, driver, |waiting| &mut waiting.senders);
        budget.is_full()
    }

    /// Keeps a frame for many connections. It counts until the last of them has written it.
    pub(crate) fn share(&self, frame: &[u8]) -> Bytes {
        let Some(budget) = &self.budget else { return Bytes::copy_from_slice(frame) };
        budget.add(frame.len());
        Bytes::from_owner(Shared { frame: frame.into(), budget: Arc::clone(budget) })
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.settle(0);
        if let Some(budget) = &self.budget {
            let mut waiting = budget.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.readers.remove(&self.number);
            waiting.senders.remove(&self.number);
        }
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.budget.sub(self.frame.len());
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("limit", &self.limit).field("used", &self.used()).finish_non_exhaustive()
    }
}

/// A connection settles when what it holds differs by so much from what the budget knows.
const GRAIN: usize = 4 * 1024;
/// No budget is smaller.
const LEAST: usize = 1024 * 1024;
/// After so long without reading, memory is not coming back by itself: a peer that dribbles may hold it, or two that wait
/// for each other.
const PATIENCE: Duration = config::WRITE;
/// Between two that have to go for that reason; and how long a driver may take to let go.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::{Account, Budget, Counts, GRAIN, LEAST};

    fn account(budget: &Arc<Budget>) -> Account {
        Account::new(Some(Arc::clone(budget)))
    }

    #[tokio::test]
    async fn a_frame_for_ten_thousand_counts_once_until_the_last_has_written_it() {
        let budget = Arc::new(Budget::new(LEAST, Box::new(Vec::new), Counts::default()));
        let mut queues: Vec<Bytes> = vec![account(&budget).share(&[7; 1000]); 10_000];
        assert_eq!(budget.used(), 1000);
        queues.truncate(1);
        assert_eq!((budget.used(), queues[0].len()), (1000, 1000));
        queues.clear();
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn an_account_settles_in_large_steps_and_when_it_is_empty() {
        let budget = Arc::new(Budget::new(LEAST, Box::new(Vec::new), Counts::default()));
        let (mut one, mut other) = (account(&budget), account(&budget));
        let mut check = |held: usize, used: usize| {
            one.settle(held);
            assert_eq!(budget.used(), used, "{held}");
        };
        check(GRAIN - 1, 0);
        check(GRAIN, GRAIN);
        check(2 * GRAIN - 1, GRAIN);
        check(3 * GRAIN, 3 * GRAIN);
        check(2 * GRAIN + 1, 3 * GRAIN);
        check(1, 1);
        check(0, 0);
        check(GRAIN, GRAIN);
        other.settle(2 * GRAIN);
        assert_eq!(budget.used(), 3 * GRAIN);
        drop(one);
        assert_eq!(budget.used(), 2 * GRAIN);
        assert!(!other.is_full());
        other.settle(LEAST);
        assert!(other.is_full() && budget.is_tight());
    }
}
