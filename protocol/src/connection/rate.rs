//! How often a peer may do what is allowed now and then: soft errors, cancellations.

use std::time::{Duration, Instant};

use super::Violation;

/// Counts events and says when there were too many in a span of time.
///
/// The span starts with its first event, so that a peer may do at most twice the limit in any stretch of one span.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use pnet_protocol::connection::Rate;
///
/// const MINUTE: Duration = Duration::from_secs(60);
///
/// let (mut faults, start) = (Rate::new("soft errors", 2, MINUTE), Instant::now());
/// assert!(faults.hit(start).is_ok() && faults.hit(start).is_ok());
/// assert!(faults.hit(start).is_err());
/// assert!(faults.hit(start + MINUTE).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Rate {
    what: &'static str,
    limit: u32,
    per: Duration,
    since: Option<Instant>,
    count: u32,
}

impl Rate {
    /// At most `limit` events in the time `per`; `what` names them, in the plural.
    pub const fn new(what: &'static str, limit: u32, per: Duration) -> Self {
        Self { what, limit, per, since: None, count: 0 }
    }

    /// Counts an event.
    ///
    /// # Errors
    ///
    /// [`Violation::Abuse`] if it is one too many.
    pub fn hit(&mut self, now: Instant) -> Result<(), Violation> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= self.per) {
            (self.since, self.count) = (Some(now), 0);
        }
        self.count = self.count.saturating_add(1);
        if self.count > self.limit {
            let per_ms = u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX);
            return Err(Violation::Abuse { what: self.what, limit: self.limit, per_ms });
        }
        Ok(())
    }
}

/// The peer's mistakes of one kind, which do not end a connection by themselves.
#[derive(Debug)]
pub struct Mistakes {
    rate: Rate,
    too_many: Option<Violation>,
}

impl Mistakes {
    /// Packets that cannot be handled: too many in a minute are abuse.
    pub const fn in_packets() -> Self {
        Self { rate: Rate::new("mistakes", MISTAKES, Duration::from_secs(60)), too_many: None }
    }

    /// Cancelled calls, each of which costs the peer less than this side: too many in a second are abuse.
    pub const fn in_cancelling() -> Self {
        Self { rate: Rate::new("cancellations", CANCELLATIONS, Duration::from_secs(1)), too_many: None }
    }

    /// One more was made.
    pub fn count(&mut self, now: Instant) {
        if let Err(violation) = self.rate.hit(now) {
            self.too_many = Some(violation);
        }
    }

    /// Whether any was ever made.
    pub const fn were_made(&self) -> bool {
        self.rate.since.is_some()
    }

    /// Whether the connection has to end for them.
    #[inline]
    pub const fn are_too_many(&self) -> bool {
        self.too_many.is_some()
    }

    /// Why the connection has to end, if it has to.
    pub const fn take(&mut self) -> Option<Violation> {
        self.too_many.take()
    }
}

/// Mistakes of a peer in a minute.
pub const MISTAKES: u32 = 32;
/// Calls that a peer cancels in a second.
pub const CANCELLATIONS: u32 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_starts_with_its_first_event() {
        let (mut rate, start) = (Rate::new("cancellations", 3, Duration::from_secs(1)), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        for now in [at(5000), at(5999), at(5999)] {
            assert_eq!(rate.hit(now), Ok(()));
        }
        assert!(rate.clone().hit(at(5999)).is_err());
        assert_eq!(rate.hit(at(6000)), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_is_no_panic() {
        let (mut rate, start) = (Rate::new("cancellations", 1, Duration::from_millis(10)), Instant::now());
        assert!(rate.hit(start + Duration::from_millis(100)).is_ok());
        assert!(rate.hit(start + Duration::from_millis(50)).is_err());
    }
}
