//! Durations in steps of an eighth.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many durations there were of which length. Lengths are exact to an eighth: each power of two has 8 steps.
pub(super) struct Histogram {
    steps: [AtomicU64; STEPS],
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { steps: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    pub(super) fn record(&self, nanos: u64) {
        if let Some(step) = self.steps.get(step_of(nanos)) {
            step.fetch_add(1, Relaxed);
        }
    }

    /// How many there are, and the durations in nanoseconds that these fractions of them did not exceed.
    pub(super) fn quantiles<const N: usize>(&self, fractions: [f64; N]) -> (u64, Option<[u64; N]>) {
        let counts: Vec<u64> = self.steps.iter().map(|step| step.load(Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return (0, None);
        }
        let quantile = |fraction: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a rank is between 1 and the number of samples"
            )]
            let rank = ((total as f64 * fraction).ceil() as u64).clamp(1, total);
            let mut below = 0;
            let step = counts.iter().position(|count| {
                below += count;
                below >= rank
            });
            end_of(step.unwrap_or(STEPS - 1))
        };
        (total, Some(fractions.map(quantile)))
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram").finish_non_exhaustive()
    }
}

/// The step of a duration. The first 16 nanoseconds have a step each.
const fn step_of(nanos: u64) -> usize {
    let nanos = if nanos > LONGEST { LONGEST } else { nanos };
    if nanos < EIGHT {
        return nanos as usize;
    }
    // The highest bit, and the three behind it.
    let shift = nanos.ilog2() - EIGHT.ilog2();
    (shift as usize + 1) * EIGHT as usize + ((nanos >> shift) - EIGHT) as usize
}

/// The longest duration of a step.
const fn end_of(step: usize) -> u64 {
    let step = step as u64;
    if step < EIGHT {
        return step;
    }
    let shift = step / EIGHT - 1;
    ((EIGHT + step % EIGHT + 1) << shift) - 1
}

const EIGHT: u64 = 8;
/// Almost 10 hours. What takes longer counts as this.
const LONGEST: u64 = (1 << 45) - 1;
const STEPS: usize = step_of(LONGEST) + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_at_most_an_eighth_wide_and_they_follow_each_other() {
        assert_eq!(end_of(STEPS - 1), LONGEST);
        for step in 1..STEPS {
            let (first, last) = (end_of(step - 1) + 1, end_of(step));
            assert_eq!((step_of(first), step_of(last)), (step, step));
            assert!(last - first <= first / 8, "{first}..={last}");
        }
        assert_eq!(step_of(u64::MAX), STEPS - 1);
    }

    #[test]
    fn quantiles_are_the_ends_of_steps() {
        let histogram = Histogram::new();
        assert_eq!(histogram.quantiles([0.5]), (0, None));
        for nanos in 1..=1000 {
            histogram.record(nanos * 1000);
        }
        let (samples, quantiles) = histogram.quantiles([0.5, 0.99, 1.0]);
        let [half, most, all] = quantiles.expect("there are some");
        assert_eq!(samples, 1000);
        for (found, exact) in [(half, 500_000), (most, 990_000), (all, 1_000_000)] {
            assert!(found >= exact && found <= exact + exact / 8, "{found} for {exact}");
        }
    }

    #[test]
    fn one_of_many_does_not_move_the_middle() {
        let histogram = Histogram::new();
        (0..99).for_each(|_| histogram.record(7));
        histogram.record(u64::MAX);
        assert_eq!(histogram.quantiles([0.5, 0.99, 1.0]), (100, Some([7, 7, LONGEST])));
    }
}
