//! Signs of life: when this side speaks for the sake of speaking, and when a silent peer is given up.
//!
//! Traffic only writes down when it was. The time at which something may be due is worked out when the time before it has
//! come, so a busy connection looks at this once per heartbeat and an idle one has an alarm and nothing else.

use std::time::{Duration, Instant};

/// What one side knows of both sides' silence.
#[derive(Debug)]
pub struct Life {
    /// Each side speaks at least once in this time. `None`: no signs of life are sent or expected.
    every: Option<Duration>,
    heard: Instant,
    spoke: Instant,
    pinged: Option<Instant>,
    /// Nothing is to be done before this.
    due: Instant,
    /// The peer seems to be gone; what lies in the socket is looked at once more.
    doubted: bool,
}

/// What the time has come for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever looks does what is due")]
pub enum Sign {
    /// Nothing is due.
    Nothing,
    /// This side has to speak, and to see whether the peer does.
    Ping,
    /// The peer is gone.
    Gone,
}

impl Life {
    /// The silence begins now; `every` as in [`set`](Self::set).
    pub fn new(every: Option<Duration>, now: Instant) -> Self {
        let mut life = Self { every: None, heard: now, spoke: now, pinged: None, due: now, doubted: false };
        life.set(every, now);
        life
    }

    /// What the handshake has settled, from now on: each side speaks at least once in this time. `None`: no signs of life are
    /// sent or expected.
    pub fn set(&mut self, every: Option<Duration>, now: Instant) {
        self.every = every;
        self.begin(now);
    }

    /// The silence begins now.
    pub fn begin(&mut self, now: Instant) {
        (self.heard, self.spoke, self.pinged, self.doubted) = (now, now, None, false);
        self.due = self.every.map_or(now, |every| now + every);
    }

    /// Whether signs of life are sent and expected.
    pub const fn is_on(&self) -> bool {
        self.every.is_some()
    }

    /// Something has come.
    pub const fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.doubted = false;
    }

    /// Something was sent.
    pub const fn speak(&mut self, now: Instant) {
        self.spoke = now;
    }

    /// When to look again.
    pub fn due(&self) -> Option<Instant> {
        self.every.map(|_| self.due)
    }

    /// This side did not run for so long: the peer cannot be blamed for it.
    pub fn excuse(&mut self, late: Duration, now: Instant) {
        if late > PUNCTUAL {
            self.heard = self.heard.checked_add(late).map_or(now, |heard| heard.min(now));
        }
    }

    /// This side has not read for so long.
    pub fn pause(&mut self, paused: Duration, now: Instant) {
        self.heard = self.heard.checked_add(paused).map_or(now, |heard| heard.min(now));
        self.doubted = false;
    }

    /// What is due now.
    pub fn look(&mut self, now: Instant) -> Sign {
        let Some(every) = self.every.filter(|_| self.due <= now) else { return Sign::Nothing };
        let end = self.heard + every * SILENT_HEARTBEATS;
        if end <= now {
            if self.doubted {
                return Sign::Gone;
            }
            self.doubted = true;
            self.due = now + LAST_LOOK;
            return Sign::Nothing;
        }
        let quiet = self.heard.min(self.spoke);
        let mut ping = self.pinged.map_or(quiet, |pinged| pinged.max(quiet)) + every;
        let due = ping <= now;
        if due {
            self.pinged = Some(now);
            ping = now + every;
        }
        self.due = ping.min(end);
        if due { Sign::Ping } else { Sign::Nothing }
    }

    /// How long nothing may be heard, for people.
    pub fn patience(&self) -> Duration {
        self.every.unwrap_or_default() * SILENT_HEARTBEATS
    }
}

/// After so many heartbeats without a sign the peer is gone.
const SILENT_HEARTBEATS: u32 = 3;
/// An alarm that is answered later than this was kept from it: the process was stopped, or had no time.
const PUNCTUAL: Duration = Duration::from_secs(1);
/// Between the suspicion and the end, so that what has arrived meanwhile is read.
const LAST_LOOK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    #[test]
    fn a_silent_peer_is_pinged_once_a_heartbeat_and_gone_after_three() {
        let now = Instant::now();
        let mut life = Life::new(Some(EVERY), now);
        assert_eq!(life.look(now + EVERY / 2), Sign::Nothing);
        assert_eq!(life.look(now + EVERY), Sign::Ping);
        assert_eq!(life.due(), Some(now + 2 * EVERY));
        assert_eq!(life.look(now + 2 * EVERY), Sign::Ping);
        assert_eq!(life.look(now + 3 * EVERY), Sign::Nothing, "what lies in the socket is looked at once more");
        assert_eq!(life.look(now + 3 * EVERY + LAST_LOOK), Sign::Gone);
        life.hear(now + 3 * EVERY);
        assert_eq!(life.look(now + 3 * EVERY + LAST_LOOK), Sign::Ping);
    }

    #[test]
    fn the_peer_is_not_blamed_for_the_time_in_which_this_side_did_not_run() {
        let now = Instant::now();
        let mut life = Life::new(Some(EVERY), now);
        life.excuse(4 * EVERY, now + 5 * EVERY);
        assert_eq!(life.look(now + 5 * EVERY), Sign::Ping);
        assert_eq!(life.due(), Some(now + 6 * EVERY));
    }

    #[test]
    fn without_a_heartbeat_nothing_is_ever_due() {
        let now = Instant::now();
        let mut life = Life::new(None, now);
        assert_eq!((life.due(), life.look(now + 100 * EVERY)), (None, Sign::Nothing));
    }
}
