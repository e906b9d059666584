//! How often this side tells that an answer is not wanted any more.

use std::time::{Duration, Instant};

/// CANCEL frames of this side. Peers close connections that cancel too often, so what is too much goes later.
#[derive(Debug)]
pub(super) struct Cancels {
    in_batch: u32,
    /// In the second that began at `since`.
    in_second: u32,
    since: Option<Instant>,
    due: Option<Instant>,
}

impl Cancels {
    pub(super) const fn new() -> Self {
        Self { in_batch: 0, in_second: 0, since: None, due: None }
    }

    /// Whether one more may go now. If not, there is a time at which it is [due](Self::due).
    pub(super) fn may_go(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= SECOND {
            (self.in_second, self.since) = (0, Some(now));
        }
        if self.in_batch >= MOST || self.in_second >= MOST {
            self.due.get_or_insert_with(|| self.since.unwrap_or(now) + SECOND);
            return false;
        }
        self.in_batch += 1;
        self.in_second += 1;
        true
    }

    /// The peer reads the next batch at another time.
    pub(super) const fn end_batch(&mut self) {
        self.in_batch = 0;
    }

    /// When those that had to wait may go.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether those may go that had to wait.
    pub(super) fn are_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// Nothing follows.
    pub(super) const fn stop(&mut self) {
        self.due = None;
    }
}

/// Half of what a peer takes in a second, as its seconds are not this side's.
const MOST: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_go_in_a_second_and_the_others_when_it_is_over() {
        let (mut cancels, now) = (Cancels::new(), Instant::now());
        assert!((0..MOST).all(|_| cancels.may_go(now)));
        cancels.end_batch();
        assert!(!cancels.may_go(now + SECOND / 2));
        assert_eq!(cancels.due(), Some(now + SECOND));
        assert!(!cancels.are_due(now + SECOND / 2) && cancels.are_due(now + SECOND));
        assert!(cancels.may_go(now + SECOND) && cancels.due().is_none());
    }

    #[test]
    fn a_hundred_go_in_a_batch_however_long_it_lasts() {
        let (mut cancels, now) = (Cancels::new(), Instant::now());
        assert!((0..MOST).all(|_| cancels.may_go(now)));
        assert!(!cancels.may_go(now + 2 * SECOND));
        cancels.end_batch();
        assert!(cancels.may_go(now + 2 * SECOND));
    }
}
