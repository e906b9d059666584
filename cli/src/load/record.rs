//! What came of the calls: times and counts.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use pnet::{CallError, Json};

use super::times::{Times, nanos, times};

/// All that is known of the calls that were made.
#[derive(Debug)]
pub(super) struct Record {
    /// From the slot to the answer: what somebody waits who does not care why.
    pub(super) response: Times,
    /// From when the call was given to its connection to the answer.
    pub(super) service: Times,
    /// From the slot to when the call was given to its connection.
    pub(super) lag: Times,
    pub(super) counts: Counts,
    /// When the answers came.
    pub(super) timeline: Timeline,
    open: BTreeMap<u64, Open>,
}

/// How many calls came to which end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Given to a connection.
    pub(super) sent: u64,
    /// Answered as it should be.
    pub(super) ok: u64,
    /// Everything else, by kind.
    pub(super) errors: BTreeMap<String, u64>,
    /// Neither answered nor failed when the run was over.
    pub(super) unanswered: u64,
    /// Due while too many were open, so not made.
    pub(super) not_sent: u64,
}

impl Counts {
    /// How many calls failed.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Whether every call is accounted for.
    pub(super) fn add_up(&self) -> bool {
        self.sent == self.ok + self.failed() + self.unanswered
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    due: Instant,
    sent: Instant,
}

impl Record {
    pub(super) fn new(start: Instant, length: Duration) -> Self {
        Self {
            response: times(),
            service: times(),
            lag: times(),
            counts: Counts::default(),
            timeline: Timeline::new(start, length),
            open: BTreeMap::new(),
        }
    }

    /// How many calls are open.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// A call is given to its connection.
    pub(super) fn sent(&mut self, slot: u64, due: Instant, now: Instant) {
        self.counts.sent += 1;
        self.lag.saturating_record(nanos(now.saturating_duration_since(due)));
        self.open.insert(slot, Open { due, sent: now });
    }

    /// A call has come to its end.
    pub(super) fn ended(&mut self, slot: u64, result: &Result<Json, CallError<Json>>, now: Instant) {
        let Some(open) = self.open.remove(&slot) else { return };
        let kind = match result {
            Ok(_) => {
                self.counts.ok += 1;
                None
            }
            Err(error) => Some(kind(error)),
        };
        let answered = !matches!(result, Err(CallError::TimedOut { .. } | CallError::Disconnected { .. }));
        if answered {
            self.timeline.answered(now);
        }
        if let Some(kind) = kind {
            self.count(kind);
        }
        // A call whose connection is gone took no time that means anything.
        if !matches!(result, Err(CallError::Disconnected { .. })) {
            self.entered(open, now);
        }
    }

    /// A call was due while too many were open.
    pub(super) fn not_sent(&mut self) {
        self.counts.not_sent += 1;
    }

    /// The run is over: what is open now is entered with the time it has taken so far.
    pub(super) fn over(&mut self, now: Instant) {
        for open in std::mem::take(&mut self.open).into_values() {
            self.counts.unanswered += 1;
            self.entered(open, now);
        }
    }

    fn entered(&mut self, open: Open, now: Instant) {
        self.response.saturating_record(nanos(now.saturating_duration_since(open.due)));
        self.service.saturating_record(nanos(now.saturating_duration_since(open.sent)));
    }

    fn count(&mut self, kind: String) {
        // The other side chooses the codes.
        let known = self.counts.errors.contains_key(&kind);
        let kind = if known || self.counts.errors.len() < MAX_KINDS { kind } else { "other".to_owned() };
        *self.counts.errors.entry(kind).or_insert(0) += 1;
    }
}

/// What kind of error it is, in a word or two.
fn kind(error: &CallError<Json>) -> String {
    match error {
        CallError::Declared(answer) => format!("declared {}", answer.action()),
        CallError::Failed { code, .. } => format!("failed {code}"),
        CallError::TimedOut { .. } => "timed out".to_owned(),
        CallError::Disconnected { .. } => "disconnected".to_owned(),
        CallError::Suspended => "suspended".to_owned(),
        CallError::TooLong { .. } => "too long".to_owned(),
        _ => "unreadable".to_owned(),
    }
}

/// Most kinds of errors that are told apart.
const MAX_KINDS: usize = 32;

/// When answers came, in steps of a ten-thousandth of the run, but at least a millisecond.
#[derive(Debug)]
pub(super) struct Timeline {
    start: Instant,
    step: Duration,
    answers: Vec<u64>,
}

impl Timeline {
    fn new(start: Instant, length: Duration) -> Self {
        Self { start, step: (length / 10_000).max(Duration::from_millis(1)), answers: Vec::new() }
    }

    fn answered(&mut self, now: Instant) {
        let step = now.saturating_duration_since(self.start).as_nanos() / self.step.as_nanos();
        // A run waits for answers for a day at most, which is in bounds; the last step takes what comes later.
        let step = usize::try_from(step).unwrap_or(MAX_STEPS).min(MAX_STEPS);
        if self.answers.len() <= step {
            self.answers.resize(step + 1, 0);
        }
        if let Some(count) = self.answers.get_mut(step) {
            *count += 1;
        }
    }

    /// How many answers came within so long after the start.
    pub(super) fn until(&self, time: Duration) -> u64 {
        let steps = time.as_nanos().div_ceil(self.step.as_nanos());
        let steps = usize::try_from(steps).unwrap_or(usize::MAX).saturating_add(1).min(self.answers.len());
        self.answers.iter().take(steps).sum()
    }
}

const MAX_STEPS: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn timed_out() -> Result<Json, CallError<Json>> {
        Err(CallError::TimedOut { after: MS })
    }

    #[test]
    fn every_call_is_accounted_for() {
        let start = Instant::now();
        let mut record = Record::new(start, 10 * MS);
        for slot in 0..6 {
            record.sent(slot, start, start + MS);
        }
        record.ended(0, &Ok(Json::new("ECHO", ())), start + 2 * MS);
        record.ended(1, &timed_out(), start + 3 * MS);
        record.ended(2, &Err(CallError::Declared(Json::new("DENIED", ()))), start + 2 * MS);
        record.ended(3, &Err(CallError::Failed { code: "busy".into(), message: String::new() }), start + 2 * MS);
        record.ended(0, &timed_out(), start + 4 * MS);
        record.not_sent();
        assert_eq!(record.open(), 2);
        record.over(start + 9 * MS);
        let counts = &record.counts;
        assert!(counts.add_up());
        assert_eq!((counts.sent, counts.ok, counts.failed(), counts.unanswered, counts.not_sent), (6, 1, 3, 2, 1));
        assert_eq!(counts.errors.keys().collect::<Vec<_>>(), ["declared DENIED", "failed busy", "timed out"]);
        // Those that were not answered count with the time they have taken.
        assert_eq!((record.response.len(), record.lag.len()), (6, 6));
        assert!(record.response.max().abs_diff(9_000_000) < 9_000);
        assert!(record.service.max().abs_diff(8_000_000) < 8_000);
    }

    #[test]
    fn the_kinds_of_errors_are_bounded() {
        let start = Instant::now();
        let mut record = Record::new(start, MS);
        for slot in 0..100 {
            record.sent(slot, start, start);
            record.ended(slot, &Err(CallError::Failed { code: slot.to_string(), message: String::new() }), start);
        }
        assert_eq!(record.counts.errors.len(), MAX_KINDS + 1);
        assert_eq!((record.counts.failed(), record.counts.errors["other"]), (100, 68));
    }

    #[test]
    fn answers_are_counted_by_when_they_came() {
        let start = Instant::now();
        let mut timeline = Timeline::new(start, Duration::from_secs(1));
        for step in 0..100 {
            timeline.answered(start + step * 10 * MS);
        }
        assert_eq!((timeline.until(Duration::ZERO), timeline.until(500 * MS), timeline.until(2000 * MS)), (1, 51, 100));
    }
}
