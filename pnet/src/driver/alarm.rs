//! Wakes a connection's task at a time.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The one time at which a task has to look again.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// What was set last.
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready if `due` has come; else the task is woken then, or before: a time that was set and is sooner is kept, and the task
    /// polls again when that has come. So as long as nothing sooner is asked for, this costs nothing. The task is taken for the same
    /// until [`disarm`](Self::disarm).
    #[inline]
    pub(super) fn poll(&mut self, due: Instant, task: &mut Context<'_>) -> Poll<()> {
        if self.at.is_some_and(|at| at <= due) && !self.has_rung() { Poll::Pending } else { self.set(due, task) }
    }

    /// For how long the task has not come, since the time that was set, if that is over. From now on none is.
    pub(super) fn late(&mut self, now: Instant) -> Duration {
        self.at.take().map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Nobody is woken. What was set would wake another task than the one that polls from now on.
    pub(super) fn disarm(&mut self) {
        *self = Self::default();
    }

    fn set(&mut self, due: Instant, task: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        let polled = timer.as_mut().poll(task);
        if polled.is_pending() {
            self.at = Some(due);
        }
        polled
    }

    fn has_rung(&self) -> bool {
        self.timer.as_ref().is_none_or(|timer| timer.is_elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
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

    fn set(alarm: &mut Alarm, due: Instant, waker: &Waker) {
        assert!(alarm.poll(due, &mut Context::from_waker(waker)).is_pending());
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_is_woken_at_its_time_and_not_before() {
        let due = Instant::now() + SOON;
        let mut alarm = Alarm::default();
        poll_fn(|task| alarm.poll(due, task)).await;
        assert!(Instant::now() >= due);
        assert!(alarm.late(Instant::now()) < SOON);
        assert_eq!(alarm.late(Instant::now()), Duration::ZERO, "it is told once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sooner_time_takes_the_place_of_a_later_one() {
        let mut alarm = Alarm::default();
        set(&mut alarm, Instant::now() + LATER, &Waker::from(Arc::new(Count::default())));
        let due = Instant::now() + SOON;
        poll_fn(|task| alarm.poll(due, task)).await;
        assert!(Instant::now() >= due && Instant::now() < due + SOON);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_time_waits_until_the_sooner_one_has_come() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let (soon, later) = (Instant::now() + SOON, Instant::now() + LATER);
        let mut alarm = Alarm::default();
        set(&mut alarm, soon, &waker);
        set(&mut alarm, later, &waker);
        assert_eq!(alarm.at, Some(soon), "nothing was set again");
        tokio::time::sleep(SOON + SOON).await;
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        set(&mut alarm, later, &waker);
        assert_eq!(alarm.at, Some(later));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_woken_by_what_was_disarmed() {
        let count = Arc::new(Count::default());
        let mut alarm = Alarm::default();
        set(&mut alarm, Instant::now() + SOON, &Waker::from(Arc::clone(&count)));
        alarm.disarm();
        tokio::time::sleep(LATER).await;
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
    }
}
