//! Who may try how often to have something opened.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::recent::Recent;

/// A source, as it is kept: a hash that nobody outside can aim at.
pub(super) type Source = u64;

/// What is known of those that packets are said to be from.
pub(super) struct Sources {
    hasher: RandomState,
    sources: Mutex<Recent<Source, Tries>>,
}

/// What one source has left.
struct Tries {
    /// In [`COST`]s, as of `counted`.
    left: Duration,
    counted: Instant,
    failures: u32,
    /// Since when the failures are counted.
    since: Instant,
}

impl Sources {
    pub(super) fn new(max_sources: usize) -> Self {
        Self { hasher: RandomState::new(), sources: Mutex::new(Recent::new(max_sources)) }
    }

    pub(super) fn source(&self, source: &(impl Hash + ?Sized)) -> Source {
        self.hasher.hash_one(source)
    }

    /// Counts a try; `false` if it was one too many.
    pub(super) fn tries(&self, source: Source, now: Instant) -> bool {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let (tries, _) = sources.entry(&source, || Tries::new(now));
        tries.is_allowed(now)
    }

    /// Counts a failure.
    pub(super) fn failed(&self, source: Source, now: Instant) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let (tries, _) = sources.entry(&source, || Tries::new(now));
        tries.forgive(now);
        tries.failures += 1;
    }
}

impl Tries {
    const fn new(now: Instant) -> Self {
        Self { left: FULL, counted: now, failures: 0, since: now }
    }

    fn is_allowed(&mut self, now: Instant) -> bool {
        self.forgive(now);
        self.left = (self.left + now.saturating_duration_since(self.counted)).min(FULL);
        self.counted = now;
        if self.failures >= MAX_FAILURES {
            return false;
        }
        let Some(left) = self.left.checked_sub(COST) else { return false };
        self.left = left;
        true
    }

    fn forgive(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= HOUR {
            self.failures = 0;
        }
        if self.failures == 0 {
            self.since = now;
        }
    }
}

/// Of one try: 32 in a second.
const COST: Duration = Duration::from_nanos(1_000_000_000 / 32);
/// What a source can have saved: 32 tries at once.
const FULL: Duration = Duration::from_secs(1);
/// After this many failures within an hour of the first, a source is refused for the rest of that hour.
const MAX_FAILURES: u32 = 100;
const HOUR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_32_tries_a_second() {
        let (limits, start) = (Sources::new(10), Instant::now());
        let (ada, bob) = (limits.source("ada"), limits.source("bob"));
        let taken = |source, at| (0..100).filter(|_| limits.tries(source, start + at)).count();
        assert_eq!(taken(ada, Duration::ZERO), 32);
        assert_eq!(taken(ada, Duration::from_millis(500)), 16);
        assert_eq!(taken(bob, Duration::from_millis(500)), 32);
        assert_eq!(taken(ada, Duration::from_millis(510)), 0);
        assert_eq!(taken(ada, Duration::from_secs(100)), 32);
        // A clock that goes backwards gives nothing.
        assert_eq!(taken(ada, Duration::from_secs(50)), 0);
    }

    #[test]
    fn a_source_has_100_failures_an_hour() {
        let (limits, start) = (Sources::new(10), Instant::now());
        let (ada, bob) = (limits.source(&1), limits.source(&2));
        let at = |secs| start + Duration::from_secs(secs);
        for n in 0..99 {
            assert!(limits.tries(ada, at(n)), "{n}");
            limits.failed(ada, at(n));
        }
        assert!(limits.tries(ada, at(1800)));
        limits.failed(ada, at(1800));
        for secs in [1800, 2000, 3599] {
            assert!(!limits.tries(ada, at(secs)), "{secs}");
            assert!(limits.tries(bob, at(secs)));
        }
        // An hour after the first of them.
        assert!(limits.tries(ada, at(3600)));
        limits.failed(ada, at(3600));
        assert!(limits.tries(ada, at(3601)));
    }

    #[test]
    fn sources_are_bounded() {
        let (limits, now) = (Sources::new(4), Instant::now());
        for n in 0..1000 {
            assert!(limits.tries(limits.source(&n), now));
        }
        for n in 996..1000 {
            assert_eq!((1..100).filter(|_| limits.tries(limits.source(&n), now)).count(), 31);
        }
        // It was forgotten.
        assert_eq!((1..100).filter(|_| limits.tries(limits.source(&0), now)).count(), 32);
    }
}
