//! When each call is due, and a thread that starts it then.
//!
//! Slot *k* is due at *k* / rate after the start, whatever became of those before: it is never moved and never left out, so
//! that a server which stops does not stop the clock it is measured by.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use super::times::{Times, nanos, times};

/// How many calls are made, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Calls in a million seconds.
    rate: u64,
    length: Duration,
}

impl Plan {
    /// So many calls a second for so long.
    pub(super) fn new(rate: f64, length: Duration) -> Result<Self, String> {
        if !(rate.is_finite() && (MIN_RATE..=MAX_RATE).contains(&rate)) {
            return Err(format!("a rate of {rate} calls a second cannot be kept: {MIN_RATE} to {MAX_RATE} can"));
        }
        Ok(Self { rate: (rate * 1e6).round() as u64, length })
    }

    /// Calls a second.
    pub(super) fn rate(&self) -> f64 {
        self.rate as f64 / 1e6
    }

    /// How long it takes.
    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    /// How many calls there are: at least one.
    pub(super) fn slots(&self) -> u64 {
        let slots = self.length.as_nanos() * u128::from(self.rate) / PER_MILLION_SECONDS;
        u64::try_from(slots).unwrap_or(u64::MAX).max(1)
    }

    /// When a slot is due, from the start. It is worked out anew for each, so nothing adds up.
    pub(super) fn due(&self, slot: u64) -> Duration {
        let nanos = u128::from(slot) * PER_MILLION_SECONDS / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How long before a slot the thread stays awake. A sleep ends some 0.06 ms late, and staying awake takes a core from the
    /// server where there are few: at most a fifth of one then.
    fn awake(&self, cores: usize) -> Duration {
        let longest = if cores >= MANY_CORES { self.due(1) } else { self.due(1) / 5 };
        AWAKE.min(longest)
    }
}

/// Starts each call of the plan when it is due; `start` is when slot 0 is. Returns how late each was started, and ends early
/// when `stop` is set.
pub(super) fn keep(plan: Plan, start: Instant, stop: &AtomicBool, mut launch: impl FnMut(u64, Instant)) -> Times {
    let mut late = times();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let awake = plan.awake(cores);
    for slot in 0..plan.slots() {
        let due = start + plan.due(slot);
        wait_until(due, awake, stop);
        if stop.load(Relaxed) {
            break;
        }
        launch(slot, due);
        late.saturating_record(nanos(due.elapsed()));
    }
    late
}

fn wait_until(due: Instant, awake: Duration, stop: &AtomicBool) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || stop.load(Relaxed) {
            return;
        }
        match left.checked_sub(awake) {
            // Short, so that it can be stopped.
            Some(sleep) if !sleep.is_zero() => thread::sleep(sleep.min(LONGEST_SLEEP)),
            _ => std::hint::spin_loop(),
        }
    }
}

/// Nanoseconds in a million seconds.
const PER_MILLION_SECONDS: u128 = 1_000_000_000_000_000;

const MIN_RATE: f64 = 0.01;

const MAX_RATE: f64 = 1_000_000.0;

const AWAKE: Duration = Duration::from_micros(100);

const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// So many can spare one.
const MANY_CORES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_do_not_drift() {
        let plan = Plan::new(3.0, Duration::from_secs(3600)).expect("a rate");
        assert_eq!(plan.slots(), 10_800);
        assert_eq!(plan.due(0), Duration::ZERO);
        assert_eq!(plan.due(1), Duration::from_nanos(333_333_333));
        assert_eq!(plan.due(10_800), Duration::from_secs(3600));
        let slow = Plan::new(0.5, Duration::from_secs(10)).expect("a rate");
        assert_eq!((slow.slots(), slow.due(4)), (5, Duration::from_secs(8)));
        assert_eq!(Plan::new(0.5, Duration::from_secs(1)).expect("a rate").slots(), 1);
    }

    #[test]
    fn rates_that_cannot_be_kept_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7, 0.001] {
            assert!(Plan::new(rate, Duration::from_secs(1)).is_err(), "{rate}");
        }
    }

    #[test]
    fn every_slot_is_started_in_order_and_none_early() {
        let plan = Plan::new(10_000.0, Duration::from_millis(20)).expect("a rate");
        let (start, mut started) = (Instant::now(), Vec::new());
        let late = keep(plan, start, &AtomicBool::new(false), |slot, due| {
            assert!(Instant::now() >= due);
            // A slot that takes long makes those behind it late, and moves none of them.
            if slot == 3 {
                thread::sleep(Duration::from_millis(2));
            }
            assert_eq!(due, start + plan.due(slot));
            started.push(slot);
        });
        assert_eq!(started, (0..200).collect::<Vec<_>>());
        assert_eq!(late.len(), 200);
        assert!(late.max() >= 2_000_000, "{}", late.max());
    }

    #[test]
    fn a_run_can_be_stopped() {
        let plan = Plan::new(1.0, Duration::from_secs(3600)).expect("a rate");
        let (stop, mut started) = (AtomicBool::new(false), 0);
        keep(plan, Instant::now(), &stop, |_, _| {
            started += 1;
            stop.store(true, Relaxed);
        });
        assert_eq!(started, 1);
    }

    #[test]
    fn staying_awake_leaves_the_server_its_core() {
        let awake = |rate, cores| Plan::new(rate, Duration::from_secs(1)).expect("a rate").awake(cores);
        assert_eq!(awake(1000.0, 2), AWAKE);
        assert_eq!(awake(10_000.0, 2), Duration::from_micros(20));
        assert_eq!(awake(10_000.0, 8), AWAKE);
    }
}
