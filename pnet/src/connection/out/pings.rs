//! The pings of this side, and the round trips they measure.

use std::time::Duration;

use tokio::time::Instant;

use super::Out;

/// The pings of one side; one is on its way at a time, but for those of the heartbeat.
#[derive(Debug, Default)]
pub(super) struct Pings {
    wanted: bool,
    /// The heartbeat wants one, whether the one before it was answered or not.
    due: bool,
    /// The nonce of the last one, and when it was written, until it is answered.
    last: u64,
    since: Option<Instant>,
    answered: u64,
    rtt: Option<Duration>,
}

impl Out {
    /// Asks for a ping with the next batch; `heartbeat`: even if the one before it was not answered.
    pub(crate) const fn ping(&mut self, heartbeat: bool) {
        self.pings.wanted = true;
        self.pings.due |= heartbeat;
    }

    /// The nonce of the next ping that is written.
    pub(crate) const fn next_ping(&self) -> u64 {
        self.pings.last + 1
    }

    /// The round trip of the ping with this nonce or of a later one.
    pub(crate) fn rtt_since(&self, nonce: u64) -> Option<Duration> {
        self.pings.rtt.filter(|_| self.pings.answered >= nonce)
    }

    /// The last round trip.
    pub(crate) const fn rtt(&self) -> Option<Duration> {
        self.pings.rtt
    }

    /// Whether the other side is sent pings at all: not if it was not made with pnet.
    #[cfg(feature = "console")]
    pub(crate) const fn can_ping(&self) -> bool {
        self.writer.can_ping()
    }

    pub(crate) fn is_ping_due(&self) -> bool {
        let Pings { wanted, due, since, .. } = &self.pings;
        *wanted && (*due || since.is_none()) && self.gone.is_none() && self.writer.can_ping()
    }

    pub(crate) fn write_ping(&mut self, now: Instant) {
        self.date();
        self.pings = Pings { wanted: false, due: false, last: self.next_ping(), since: Some(now), ..self.pings };
        self.writer.ping(self.pings.last, &mut self.buf);
    }

    /// A pong has come. `false`: not for the last ping.
    pub(crate) fn ponged(&mut self, nonce: u64, now: Instant) -> bool {
        let Some(since) = self.pings.since.take_if(|_| nonce == self.pings.last) else { return false };
        self.pings.answered = nonce;
        self.pings.rtt = Some(now.saturating_duration_since(since));
        if self.pings.wanted {
            self.wake_driver();
        }
        true
    }
}
