//! Signs of life: when this side speaks for the sake of speaking, and when a silent peer is given up.
//!
//! Traffic only writes down when it was. The time at which something may be due is worked out when the time before it has
//! come, so a busy connection looks at this once per heartbeat and an idle one has an alarm and nothing else.

use std::time::Duration;

use tokio::time::Instant;

/// What one side knows of both sides' silence.
#[derive(Debug)]
pub(super) struct Life {
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
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Nothing,
    Ping,
    /// The peer is gone.
    Gone,
}

impl Life {
    pub(super) fn new(every: Option<Duration>) -> Self {
        let now = Instant::now();
        let mut life = Self { every: None, heard: now, spoke: now, pinged: None, due: now, doubted: false };
        life.set(every, now);
        life
    }

    /// What the handshake has settled, from now on.
    pub(super) fn set(&mut self, every: Option<Duration>, now: Instant) {
        self.every = every;
        self.begin(now);
    }

    /// The silence begins now.
    pub(super) fn begin(&mut self, now: Instant) {
        (self.heard, self.spoke, self.pinged, self.doubted) = (now, now, None, false);
        self.due = self.every.map_or(now, |every| now + every);
    }

    pub(super) const fn is_on(&self) -> bool {
        self.every.is_some()
    }

    pub(super) const fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.doubted = false;
    }

    pub(super) const fn speak(&mut self, now: Instant) {
        self.spoke = now;
    }

    /// When to look again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.every.map(|_| self.due)
    }

    /// This side did not run for so long: the peer cannot be blamed for it.
    pub(super) fn excuse(&mut self, late: Duration, now: Instant) {
        if late > PUNCTUAL {
            self.heard = self.heard.checked_add(late).map_or(now, |heard| heard.min(now));
        }
    }

    /// This side has not read for so long.
    pub(super) fn pause(&mut self, paused: Duration, now: Instant) {
        self.heard = self.heard.checked_add(paused).map_or(now, |heard| heard.min(now));
        self.doubted = false;
    }

    /// What is due now.
    pub(super) fn look(&mut self, now: Instant) -> Sign {
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
    pub(super) fn patience(&self) -> Duration {
        self.every.unwrap_or_default() * SILENT_HEARTBEATS
    }
}

/// After so many heartbeats without a sign the peer is gone.
const SILENT_HEARTBEATS: u32 = 3;
/// An alarm that is answered later than this was kept from it: the process was stopped, or had no time.
const PUNCTUAL: Duration = Duration::from_secs(1);
/// Between the suspicion and the end, so that what has arrived meanwhile is read.
const LAST_LOOK: Duration = Duration::from_millis(100);
