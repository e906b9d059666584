//! The pings of this side, and the round trips they measure.

use std::time::{Duration, Instant};

/// The pings of one side; one is on its way at a time, but for those of the heartbeat.
#[derive(Debug, Default)]
pub struct Pings {
    wanted: bool,
    /// The heartbeat wants one, whether the one before it was answered or not.
    due: bool,
    /// The nonce of the last one, and when it was written, until it is answered.
    last: u64,
    since: Option<Instant>,
    answered: u64,
    rtt: Option<Duration>,
}

impl Pings {
    /// Asks for a ping with the next batch; `heartbeat`: even if the one before it was not answered.
    pub const fn ask(&mut self, heartbeat: bool) {
        self.wanted = true;
        self.due |= heartbeat;
    }

    /// The nonce of the next ping that is written.
    pub const fn next(&self) -> u64 {
        self.last + 1
    }

    /// Whether one is asked for.
    pub const fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether one is to be written now.
    pub const fn are_due(&self) -> bool {
        self.wanted && (self.due || self.since.is_none())
    }

    /// One is written; its nonce.
    pub const fn begin(&mut self, now: Instant) -> u64 {
        (self.wanted, self.due, self.since, self.last) = (false, false, Some(now), self.next());
        self.last
    }

    /// A pong has come. `false`: not for the last ping.
    pub fn ponged(&mut self, nonce: u64, now: Instant) -> bool {
        let Some(since) = self.since.take_if(|_| nonce == self.last) else { return false };
        self.answered = nonce;
        self.rtt = Some(now.saturating_duration_since(since));
        true
    }

    /// The last round trip.
    pub const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The round trip of the ping with this nonce or of a later one.
    pub fn rtt_since(&self, nonce: u64) -> Option<Duration> {
        self.rtt.filter(|_| self.answered >= nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_on_its_way_at_a_time_but_for_the_heartbeat() {
        let (mut pings, now) = (Pings::default(), Instant::now());
        assert!(!pings.are_due());
        pings.ask(false);
        assert!(pings.are_due());
        assert_eq!(pings.begin(now), 1);
        pings.ask(false);
        assert!(!pings.are_due() && pings.are_wanted());
        pings.ask(true);
        assert!(pings.are_due());
        assert_eq!(pings.begin(now), 2);
        let later = now + Duration::from_millis(7);
        assert!(!pings.ponged(1, later), "another one is on its way");
        assert!(pings.ponged(2, later) && !pings.ponged(2, later));
        assert_eq!((pings.rtt_since(2), pings.rtt_since(3)), (Some(Duration::from_millis(7)), None));
    }
}
