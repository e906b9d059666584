//! What is counted on every call, and which of the calls are timed.

use std::num::NonZero;

use pnet_protocol::{connection::InFlight, id::ConnectionId};
use tokio::time::Instant;

use super::{Counts, Met, Trace};

/// The calls and packets that one connection's driver takes.
///
/// Nothing is shared, so a call costs a comparison and a subtraction. Which ones are timed is left to chance: one in 64 on the
/// average, at distances from 1 to 127, so that no rhythm of the peer's hides an action.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Of the last ones.
    action: u16,
    turns: Turns,
    /// How many turns were left when the board was told last.
    told: u32,
    /// When something came last.
    heard: Instant,
    /// The limits that were met when the driver rested last.
    full: u8,
}

/// The calls and packets that one connection sends.
#[derive(Debug)]
pub(crate) struct Sends {
    counts: Counts,
    /// Of the last ones.
    action: Which,
    /// How many of them the board was not told of.
    untold: u32,
    turns: Turns,
    load: Load,
}

/// What a driver had not done when it rested last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// When something came last.
    pub(crate) heard: Instant,
    /// Calls and one-way packets of the peer that are not finished.
    pub(crate) in_flight: u32,
    /// Bytes of its batch that are not written.
    pub(crate) unwritten: usize,
}

/// How many more there are until one is timed.
#[derive(Debug)]
struct Turns {
    left: u32,
    random: NonZero<u32>,
}

/// The number of an action that this side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Which(u16);

/// When something began on the board's clock that is timed; few things are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Option<NonZero<u64>>);

impl Tally {
    pub(crate) fn new(id: ConnectionId) -> Self {
        let turns = Turns::new(id, 1);
        Self { action: 0, told: turns.left, turns, heard: Instant::now(), full: 0 }
    }

    /// One more has arrived.
    #[inline]
    pub(crate) fn count(&mut self, action: u16, trace: &Trace) -> Stopwatch {
        if action != self.action {
            self.turn_to(action, trace);
        }
        self.turns.left -= 1;
        if self.turns.left == 0 { self.time(trace) } else { Stopwatch::NONE }
    }

    #[cold]
    #[inline(never)]
    fn turn_to(&mut self, action: u16, trace: &Trace) {
        self.flush(trace);
        self.action = action;
    }

    /// Something has come.
    #[inline]
    pub(crate) fn hear(&mut self, now: impl FnOnce() -> Instant) {
        self.heard = now();
    }

    #[cold]
    fn time(&mut self, trace: &Trace) -> Stopwatch {
        self.flush(trace);
        self.turns.draw();
        self.told = self.turns.left;
        Stopwatch::start(trace.counts())
    }

    /// Tells the board.
    #[inline]
    pub(crate) fn flush(&mut self, trace: &Trace) {
        let times = self.told - self.turns.left;
        if times != 0 {
            self.told = self.turns.left;
            if let Some(row) = trace.counts().board().incoming(self.action) {
                row.handled(times);
            }
        }
    }
}

impl Sends {
    pub(crate) fn new(id: ConnectionId, counts: Counts) -> Self {
        let load = Load { heard: Instant::now(), in_flight: 0, unwritten: 0 };
        Self { counts, action: Which(0), untold: 0, turns: Turns::new(id, 2), load }
    }

    /// The driver is about to rest, and says what is left to be done.
    #[inline]
    pub(crate) fn rest(&mut self, tally: &mut Tally, trace: &Trace, left: impl FnOnce() -> (InFlight, usize)) {
        let (InFlight { calls, packets, full, .. }, unwritten) = left();
        tally.flush(trace);
        self.load = Load { heard: tally.heard, in_flight: calls.saturating_add(packets), unwritten };
        if full != tally.full {
            trace.reach(full & !tally.full);
            tally.full = full;
        }
    }

    pub(crate) const fn load(&self) -> Load {
        self.load
    }

    pub(crate) fn met(&self, limit: Met) {
        self.counts.met(limit);
    }

    /// One more is on its way that has no answer.
    #[inline]
    pub(crate) fn packet(&mut self, which: Which) {
        if which != self.action {
            self.turn_to(which);
        }
        self.untold = self.untold.wrapping_add(1);
    }

    #[cold]
    #[inline(never)]
    fn turn_to(&mut self, which: Which) {
        self.flush();
        self.action = which;
    }

    /// One more call is.
    #[inline]
    pub(crate) fn call(&mut self, which: Which) -> Stopwatch {
        self.packet(which);
        self.turns.left -= 1;
        if self.turns.left == 0 {
            self.turns.draw();
            return Stopwatch::start(&self.counts);
        }
        Stopwatch::NONE
    }

    /// A call was answered.
    #[inline]
    pub(crate) fn replied(&self, which: Which, timed: Stopwatch) {
        if let Some(began) = timed.0 {
            self.took(which, began);
        }
    }

    #[cold]
    fn took(&self, Which(action): Which, began: NonZero<u64>) {
        if let Some(row) = self.counts.board().outgoing(action) {
            row.took(self.counts.nanos().saturating_sub(began.get()));
        }
    }

    /// A call that was sent has no answer as declared.
    pub(crate) fn failed(&self, Which(action): Which) {
        if let Some(row) = self.counts.board().outgoing(action) {
            row.failed();
        }
    }

    /// A call has ended before it could be sent.
    pub(crate) fn unsent(&self, which: Which) {
        if let Some(row) = self.counts.board().outgoing(which.0) {
            row.handled(1);
            row.failed();
        }
    }

    /// Tells the board.
    pub(crate) fn flush(&mut self) {
        let times = std::mem::take(&mut self.untold);
        if times != 0
            && let Some(row) = self.counts.board().outgoing(self.action.0)
        {
            row.handled(times);
        }
    }
}

impl Which {
    #[inline]
    pub(crate) const fn new(action: u16) -> Self {
        Self(action)
    }
}

impl Stopwatch {
    pub(crate) const NONE: Self = Self(None);

    fn start(counts: &Counts) -> Self {
        Self(Some(NonZero::new(counts.nanos()).unwrap_or(NonZero::<u64>::MIN)))
    }

    /// The same for what begins only now.
    #[inline]
    pub(crate) fn again(self, trace: &Trace) -> Self {
        if self.0.is_some() { Self::start(trace.counts()) } else { self }
    }

    /// What has arrived is handled.
    #[inline]
    pub(crate) fn stop(self, action: u16, trace: &Trace) {
        if let Some(began) = self.0 {
            Self::took(began, action, trace.counts());
        }
    }

    #[cold]
    fn took(began: NonZero<u64>, action: u16, counts: &Counts) {
        if let Some(row) = counts.board().incoming(action) {
            row.took(counts.nanos().saturating_sub(began.get()));
        }
    }
}

impl Turns {
    /// Seeded by the connection's id, which is random.
    fn new(id: ConnectionId, salt: u32) -> Self {
        let bytes = *id.as_bytes();
        let [.., a, b, c, d] = bytes;
        let seed =
            u32::from_le_bytes([a, b, c, d]).wrapping_mul(2).wrapping_add(1).wrapping_mul(salt.wrapping_mul(2) | 1);
        let mut turns = Self { left: 1, random: NonZero::new(seed).unwrap_or(NonZero::<u32>::MIN) };
        // Of two distances the shorter: as if the distances had begun long ago. So those count, too, that call seldom.
        turns.draw();
        let first = turns.left;
        turns.draw();
        turns.left = turns.left.min(first);
        turns
    }

    /// Draws the next distance, by a generator of Marsaglia's.
    fn draw(&mut self) {
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        self.random = NonZero::new(random).unwrap_or(NonZero::<u32>::MIN);
        self.left = 1 + ((u64::from(random) * u64::from(FARTHEST)) >> 32) as u32;
    }
}

/// Distances are from 1 to this, and 64 on the average.
const FARTHEST: u32 = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_64_is_timed_however_few_calls_a_connection_makes() {
        for calls in [1, 10, 64, 1000] {
            let connections = 200_000 / calls;
            let mut timed = 0;
            for _ in 0..connections {
                let mut turns = Turns::new(ConnectionId::random(), 1);
                for _ in 0..calls {
                    turns.left -= 1;
                    if turns.left == 0 {
                        timed += 1;
                        turns.draw();
                    }
                }
            }
            let expected = connections * calls / 64;
            // The spread is less than that of a binomial distribution, so this is 6 times as much as is usual.
            assert!(timed * 10 > expected * 9 && timed * 10 < expected * 11, "{calls} each: {timed} of {expected}");
        }
    }

    #[test]
    fn actions_that_take_turns_are_timed_alike() {
        let mut turns = Turns::new(ConnectionId::random(), 2);
        let mut timed = [0_u32; 2];
        for call in 0..200_000 {
            turns.left -= 1;
            if turns.left == 0 {
                timed[call % 2] += 1;
                turns.draw();
            }
        }
        assert!(timed.iter().all(|timed| (1400..1725).contains(timed)), "{timed:?}");
    }
}
