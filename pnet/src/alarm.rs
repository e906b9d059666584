//! Wakes a connection's task at a time.
//!
//! A runtime that has a timer of its own never just waits: whenever it has nothing to do, it looks at the clock twice, and has
//! the kernel set a timer and take it back: 2 to 3 % of what a call costs, although hardly any time that a connection waits for
//! ever comes. It is mostly the next sign of life, or the end of a call that is answered long before. So these times are kept by
//! one thread for the whole process. It sleeps until the first of them, and ends when there are none.

use std::{
    cmp,
    collections::BTreeSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant as Machine},
};

use tokio::time::{Instant, Sleep};

/// The one time at which a task has to look again.
#[derive(Default)]
pub(crate) struct Alarm {
    /// What was set last.
    at: Option<Instant>,
    by: By,
}

/// Who wakes the task.
#[derive(Default)]
enum By {
    #[default]
    Nobody,
    /// The runtime, where its clock is not the machine's, and where no thread can be had.
    Runtime(Pin<Box<Sleep>>),
    Thread(Arc<Bell>),
}

impl Alarm {
    /// Ready if `due` has come; else the task is woken then, or before: a time that was set and is sooner is kept, and the task
    /// polls again when that has come. So as long as nothing sooner is asked for, this costs nothing. The task is taken for the same
    /// until [`disarm`](Self::disarm).
    #[inline]
    pub(crate) fn poll(&mut self, due: Instant, task: &mut Context<'_>) -> Poll<()> {
        if self.at.is_some_and(|at| at <= due) && !self.has_rung() { Poll::Pending } else { self.set(due, task) }
    }

    /// For how long the task has not come, since the time that was set, if that is over. From now on none is.
    pub(crate) fn late(&mut self, now: Instant) -> Duration {
        self.silence();
        self.at.take().map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Nobody is woken. What was set would wake another task than the one that polls from now on.
    pub(crate) fn disarm(&mut self) {
        self.silence();
        self.at = None;
    }

    fn set(&mut self, due: Instant, task: &mut Context<'_>) -> Poll<()> {
        self.silence();
        if let Some(now) = real_time() {
            let at = due.into_std();
            if at <= now {
                return Poll::Ready(());
            }
            let bell = Arc::new(Bell { rang: AtomicBool::new(false), waker: task.waker().clone() });
            if ALARMS.add(Entry { at, bell: Arc::clone(&bell) }) {
                (self.at, self.by) = (Some(due), By::Thread(bell));
                return Poll::Pending;
            }
        }
        let mut sleep = match std::mem::take(&mut self.by) {
            By::Runtime(sleep) => sleep,
            By::Nobody | By::Thread(_) => Box::pin(tokio::time::sleep_until(due)),
        };
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        let polled = sleep.as_mut().poll(task);
        self.by = By::Runtime(sleep);
        if polled.is_pending() {
            self.at = Some(due);
        }
        polled
    }

    fn has_rung(&self) -> bool {
        match &self.by {
            By::Nobody => true,
            By::Runtime(sleep) => sleep.is_elapsed(),
            By::Thread(bell) => bell.rang.load(Ordering::Acquire),
        }
    }

    /// The thread forgets what was set.
    fn silence(&mut self) {
        if let By::Thread(bell) = &self.by
            && let Some(at) = self.at
        {
            ALARMS.remove(&Entry { at: at.into_std(), bell: Arc::clone(bell) });
            self.by = By::Nobody;
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.silence();
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").field("at", &self.at).finish_non_exhaustive()
    }
}

/// The time, if the runtime's clock is the machine's. One that was paused for a test goes on when the runtime says so, and only
/// its own timers know when that is.
fn real_time() -> Option<Machine> {
    let runtime = Instant::now().into_std();
    let machine = Machine::now();
    machine.checked_duration_since(runtime).filter(|ahead| *ahead < BETWEEN_LOOKS).map(|_| machine)
}

/// Whom the thread wakes.
struct Bell {
    rang: AtomicBool,
    waker: Waker,
}

impl Bell {
    fn ring(&self) {
        self.rang.store(true, Ordering::Release);
        // Somebody's executor may panic in there, which must not keep the others from being woken.
        let _ = catch_unwind(AssertUnwindSafe(|| self.waker.wake_by_ref()));
    }
}

/// A bell and its time.
struct Entry {
    at: Machine,
    bell: Arc<Bell>,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.at.cmp(&other.at).then_with(|| Arc::as_ptr(&self.bell).cmp(&Arc::as_ptr(&other.bell)))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

/// What the thread has to do.
struct Alarms {
    list: Mutex<List>,
    /// The thread has to look sooner than it would.
    sooner: Condvar,
}

struct List {
    entries: BTreeSet<Entry>,
    /// When the thread looks next; `None` if there is no thread.
    looks: Option<Machine>,
}

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `false`: there is no thread for it.
    fn add(&'static self, entry: Entry) -> bool {
        let at = entry.at;
        let mut list = self.lock();
        match list.looks {
            Some(looks) if looks <= at => {}
            Some(_) => {
                list.looks = Some(at);
                self.sooner.notify_one();
            }
            None => {
                if let Err(error) = thread::Builder::new().name(NAME.to_owned()).spawn(|| self.run()) {
                    tracing::warn!(%error, "no thread for alarms");
                    return false;
                }
                list.looks = Some(at);
            }
        }
        list.entries.insert(entry);
        true
    }

    fn remove(&self, entry: &Entry) {
        self.lock().entries.remove(entry);
    }

    fn run(&self) {
        let mut list = self.lock();
        let mut due = Vec::new();
        let mut idle = false;
        loop {
            let now = Machine::now();
            while list.entries.first().is_some_and(|first| first.at <= now) {
                due.extend(list.entries.pop_first());
            }
            if !due.is_empty() {
                drop(list);
                due.drain(..).for_each(|entry| entry.bell.ring());
                list = self.lock();
                continue;
            }
            let looks = match list.entries.first() {
                Some(first) => first.at,
                None if idle => break,
                None => now + LINGER,
            };
            idle = list.entries.is_empty();
            list.looks = Some(looks);
            (list, _) =
                self.sooner.wait_timeout(list, looks.duration_since(now)).unwrap_or_else(PoisonError::into_inner);
        }
        list.looks = None;
    }
}

static ALARMS: Alarms =
    Alarms { list: Mutex::new(List { entries: BTreeSet::new(), looks: None }), sooner: Condvar::new() };

/// As debuggers and `ps` show the thread.
const NAME: &str = "pnet-alarms";
/// How long the thread stays when there is nothing for it to do.
const LINGER: Duration = Duration::from_secs(10);
/// Two looks at the same clock are less apart than this, unless the thread is kept from its processor meanwhile; then a timer
/// of the runtime's does as well.
const BETWEEN_LOOKS: Duration = Duration::from_micros(20);

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    const SOON: Duration = Duration::from_millis(100);
    const LATER: Duration = Duration::from_secs(3600);

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whether the thread has it.
    fn is_listed(alarm: &Alarm) -> bool {
        let By::Thread(bell) = &alarm.by else { return false };
        ALARMS.lock().entries.iter().any(|entry| Arc::ptr_eq(&entry.bell, bell))
    }

    /// Polls until the alarm was set with the thread: two looks at the clock may be further apart than they should.
    fn set(alarm: &mut Alarm, due: Instant, waker: &Waker) {
        while !is_listed(alarm) {
            alarm.disarm();
            assert!(alarm.poll(due, &mut Context::from_waker(waker)).is_pending());
        }
    }

    #[tokio::test]
    async fn the_task_is_woken_at_its_time_and_not_before() {
        let due = Instant::now() + SOON;
        let mut alarm = Alarm::default();
        poll_fn(|task| alarm.poll(due, task)).await;
        assert!(Instant::now() >= due);
        assert!(alarm.late(Instant::now()) < LATER);
        assert_eq!(alarm.late(Instant::now()), Duration::ZERO, "it is told once");
    }

    #[tokio::test]
    async fn a_sooner_time_takes_the_place_of_a_later_one() {
        let mut alarm = Alarm::default();
        set(&mut alarm, Instant::now() + LATER, &Waker::from(Arc::new(Count::default())));
        let due = Instant::now() + SOON;
        poll_fn(|task| alarm.poll(due, task)).await;
        assert!(Instant::now() >= due);
    }

    #[tokio::test]
    async fn a_later_time_waits_until_the_sooner_one_has_come() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let (soon, later) = (Instant::now() + SOON, Instant::now() + LATER);
        let mut alarm = Alarm::default();
        set(&mut alarm, soon, &waker);
        assert!(alarm.poll(later, &mut Context::from_waker(&waker)).is_pending());
        assert_eq!(alarm.at, Some(soon), "nothing was set again");
        while count.0.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(Instant::now() >= soon);
        assert!(alarm.poll(later, &mut Context::from_waker(&waker)).is_pending());
        assert_eq!(alarm.at, Some(later));
    }

    #[tokio::test]
    async fn what_is_not_waited_for_any_more_is_forgotten() {
        let waker = Waker::from(Arc::new(Count::default()));
        let mut alarm = Alarm::default();
        set(&mut alarm, Instant::now() + LATER, &waker);
        let By::Thread(bell) = &alarm.by else { panic!("the thread has it") };
        let bell = Arc::clone(bell);
        drop(alarm);
        assert_eq!(Arc::strong_count(&bell), 1, "nobody else has it");
    }

    #[tokio::test]
    async fn a_waker_that_panics_keeps_no_other_from_being_woken() {
        struct Panics;

        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("as it says");
            }
        }

        let mut first = Alarm::default();
        let due = Instant::now() + SOON;
        set(&mut first, due, &Waker::from(Arc::new(Panics)));
        let mut second = Alarm::default();
        poll_fn(|task| second.poll(due + SOON, task)).await;
        while !first.has_rung() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_time_is_paused_the_runtime_goes_on_with_it() {
        let mut alarm = Alarm::default();
        let begin = Instant::now();
        // It shows only when the machine's clock has gone on.
        while real_time().is_some() {
            std::hint::spin_loop();
        }
        poll_fn(|task| alarm.poll(begin + LATER, task)).await;
        assert!(matches!(alarm.by, By::Runtime(_)));
        assert!(begin.elapsed() >= LATER);
    }
}
