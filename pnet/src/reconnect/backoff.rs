//! How long a client waits between two attempts.

use std::time::Duration;

use pnet_protocol::id::ConnectionId;

/// How a client that [reconnects](crate::ClientBuilder::reconnect) spaces its attempts.
///
/// The first delay is 500 ms, each next one is twice as long, and none is longer than 30 s; each is then drawn evenly
/// from half of it up to one and a half times of it, so that the clients of one server do not come back at once. The
/// row starts again after a connection that was up for 10 s, or for as long as the last delay if that was longer.
///
/// With these defaults a client whose connections do not last makes at most 1 attempt in the first 500 ms after it lost
/// a good connection, 3 in the first 2 s, 5 in the first 10 s, 8 in the first minute, and 4 in each minute from then on.
/// A server that asks for a later time ([`Retry::After`](crate::Retry::After)) gets what it asks for, and up to 10 %
/// more.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use pnet::Backoff;
///
/// let patient = Backoff::default();
/// let hasty = Backoff::new(Duration::from_millis(50), Duration::from_secs(1)).attempts(10);
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is given to `reconnect`"]
pub struct Backoff {
    first: Duration,
    max: Duration,
    attempts: Option<u32>,
    seed: Option<u64>,
}

impl Backoff {
    /// Starts with `first` and doubles up to `max`. Neither is taken as less than 1 ms, and `max` not as less than
    /// `first`.
    pub fn new(first: Duration, max: Duration) -> Self {
        let first = first.max(Duration::from_millis(1));
        Self { first, max: max.max(first), attempts: None, seed: None }
    }

    /// Gives up after so many attempts in a row that led to no connection, or to none that lasted as long as
    /// [`Backoff`] asks for. Without this, never; with 0, a lost connection is the end.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Makes the delays the same in every run. Two clients with one seed draw the same delays.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(30))
    }
}

/// The delays of one client.
#[derive(Debug)]
pub(super) struct Delays {
    backoff: Backoff,
    random: SplitMix,
    /// Attempts in a row.
    made: u32,
    /// The last delay.
    last: Duration,
}

impl Delays {
    pub(super) fn new(backoff: Backoff) -> Self {
        let seed = backoff.seed.unwrap_or_else(|| {
            // The whole of it, as some of its bits are the same in all.
            let bytes = ConnectionId::random();
            bytes.as_bytes().iter().fold(0, |seed: u64, &byte| seed.rotate_left(8) ^ u64::from(byte))
        });
        Self { backoff, random: SplitMix(seed), made: 0, last: Duration::ZERO }
    }

    /// A connection was up for so long.
    pub(super) fn was_up(&mut self, time: Duration) {
        if time >= LASTING.max(self.last) {
            self.made = 0;
            self.last = Duration::ZERO;
        }
    }

    /// The number of the next attempt, and how long to wait for it; `None` if there were enough of them. `asked`: no
    /// earlier than that, as the server wants it.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<(u32, Duration)> {
        if self.backoff.attempts.is_some_and(|most| self.made >= most) {
            return None;
        }
        let own = self.draw();
        let delay = match asked {
            // A server that wants everybody back at once and then closes again does not set the pace.
            Some(asked) => {
                let asked = asked.saturating_add(asked.mul_f64(self.random.fraction() / 10.0));
                if self.made == 0 { asked } else { asked.max(own) }
            }
            None => own,
        };
        self.made = self.made.saturating_add(1);
        self.last = delay;
        Some((self.made, delay))
    }

    fn draw(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.made).unwrap_or(u32::MAX);
        let delay = self.backoff.first.saturating_mul(factor).min(self.backoff.max);
        (delay / 2).saturating_add(scaled(delay, self.random.fraction()))
    }
}

/// A part of a duration, whatever its length.
fn scaled(duration: Duration, fraction: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * fraction).unwrap_or(duration)
}

/// The generator `SplitMix64`: enough to spread delays, and not for secrets.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 up to 1, and never 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what the fraction of an f64 holds")]
    const fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A connection that was up for so long starts the row of delays again.
const LASTING: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_greatest_and_are_spread_around_it() {
        let mut delays = Delays::new(Backoff::default().seed(7));
        let mut seen = Vec::new();
        for nominal in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000] {
            let (_, delay) = delays.next(None).expect("there is no end");
            let millis = delay.as_millis();
            assert!((nominal / 2..nominal * 3 / 2).contains(&millis), "{millis} for {nominal}");
            seen.push(delay);
        }
        let mut same = Delays::new(Backoff::default().seed(7));
        assert!(seen.iter().all(|&delay| same.next(None).is_some_and(|(_, other)| other == delay)));
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let mut delays = Delays::new(Backoff::new(Duration::MAX, Duration::MAX).seed(1));
        delays.made = u32::MAX - 1;
        for _ in 0..3 {
            assert!(delays.next(Some(Duration::from_millis(u64::from(u32::MAX)))).is_some());
        }
        let mut shortest = Delays::new(Backoff::new(Duration::ZERO, Duration::ZERO).seed(1));
        assert!(shortest.next(None).is_some_and(|(_, delay)| delay >= Duration::from_micros(500)));
    }

    #[test]
    fn what_the_server_asks_for_is_waited_out_with_a_tenth_more_at_most() {
        for seed in 0..200 {
            let mut delays = Delays::new(Backoff::default().seed(seed));
            let (_, delay) = delays.next(Some(Duration::from_secs(7))).expect("there is no end");
            assert!((7_000..=7_700).contains(&delay.as_millis()), "{delay:?}");
            // A server that asks for no pause at all has its way once.
            let mut hurried = Delays::new(Backoff::default().seed(seed));
            assert_eq!(hurried.next(Some(Duration::ZERO)), Some((1, Duration::ZERO)));
            assert!(hurried.next(Some(Duration::ZERO)).is_some_and(|(_, delay)| delay >= Duration::from_millis(500)));
        }
    }

    #[test]
    fn a_connection_that_lasted_starts_the_row_again() {
        let mut delays = Delays::new(Backoff::default().seed(3).attempts(2));
        assert!(delays.next(None).is_some());
        delays.was_up(Duration::from_secs(9));
        assert!(delays.next(None).is_some_and(|(attempt, _)| attempt == 2));
        assert_eq!(delays.next(None), None);
        delays.was_up(Duration::from_secs(10));
        assert!(delays.next(None).is_some_and(|(attempt, _)| attempt == 1));
    }
}
