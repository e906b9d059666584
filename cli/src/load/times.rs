//! Times of many calls, as a histogram.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Times in nanoseconds, with three digits.
pub(super) type Times = Histogram<u64>;

/// An empty histogram from 64 ns to a day.
pub(super) fn times() -> Times {
    Histogram::new_with_bounds(64, 86_400_000_000_000, 3).expect("the bounds are in order")
}

/// Nanoseconds, as they are counted.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The parts of the calls that are asked about: what it is called, and how many of a thousand.
pub(super) const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
