//! How often a peer may do what is allowed now and then: soft errors, cancellations.

use super::Violation;

/// Counts events and says when there were too many in a span of time. The time is passed in.
///
/// The span starts with its first event, so that a peer may do at most twice the limit in any stretch of one span.
///
/// ```
/// use pnet_protocol::connection::Rate;
///
/// let mut faults = Rate::new("soft errors", 2, 60_000);
/// assert!(faults.hit(0).is_ok() && faults.hit(1).is_ok());
/// assert!(faults.hit(2).is_err());
/// assert!(faults.hit(60_000).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Rate {
    what: &'static str,
    limit: u32,
    per_ms: u64,
    since_ms: u64,
    count: u32,
}

impl Rate {
    /// At most `limit` events in `per_ms` milliseconds; `what` names them, in the plural.
    pub const fn new(what: &'static str, limit: u32, per_ms: u64) -> Self {
        Self { what, limit, per_ms, since_ms: 0, count: 0 }
    }

    /// Counts an event at `now_ms`, a time since any fixed point that never goes back.
    ///
    /// # Errors
    ///
    /// [`Violation::Abuse`] if it is one too many.
    pub fn hit(&mut self, now_ms: u64) -> Result<(), Violation> {
        if self.count == 0 || now_ms.saturating_sub(self.since_ms) >= self.per_ms {
            self.since_ms = now_ms;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        if self.count > self.limit {
            return Err(Violation::Abuse { what: self.what, limit: self.limit, per_ms: self.per_ms });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_starts_with_its_first_event() {
        let mut rate = Rate::new("cancellations", 3, 1000);
        for now in [5000, 5999, 5999] {
            assert_eq!(rate.hit(now), Ok(()));
        }
        assert!(rate.clone().hit(5999).is_err());
        assert_eq!(rate.hit(6000), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_is_no_panic() {
        let mut rate = Rate::new("cancellations", 1, 10);
        assert!(rate.hit(100).is_ok());
        assert!(rate.hit(50).is_err());
    }
}
