//! What goes wrong: limits that are met, connections that end badly, calls that fail; in all, and in the last minute.

use std::collections::{HashMap, VecDeque};

use pnet::inspect::Snapshot;

use super::{
    list::{Column, Row},
    text::{count, plain, span},
};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// A limit was met.
    Limit,
    /// A connection ended, since what came on it could not be read or was against the rules.
    Decode,
    /// A connection ended, since nothing came or was taken in time.
    Timeout,
    /// A call failed.
    Handler,
    /// A connection ended for another reason, but not as it should.
    Close,
}

impl Kind {
    /// All of them, with the word for the head of the screen.
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::Limit, "limits"),
        (Self::Decode, "decode"),
        (Self::Timeout, "timeouts"),
        (Self::Handler, "handlers"),
        (Self::Close, "closes"),
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Decode => "decode",
            Self::Timeout => "timeout",
            Self::Handler => "handler",
            Self::Close => "close",
        }
    }

    /// What a close code tells; `None` for those that are no fault.
    fn of_close(code: &str) -> Option<Self> {
        match code {
            "normal" | "going-away" => None,
            "protocol-error" | "frame-too-long" | "protocol-mismatch" | "version-unsupported" | "abuse" => {
                Some(Self::Decode)
            }
            "timeout" | "handshake-timeout" | "slow-consumer" => Some(Self::Timeout),
            _ => Some(Self::Close),
        }
    }
}

/// One thing that goes wrong, and how often.
#[derive(Debug)]
pub(crate) struct Line {
    kind: Kind,
    what: String,
    total: u64,
    minute: u64,
    /// Milliseconds since it was last seen to happen; `None` if not since the watch began.
    ago_ms: Option<u64>,
    key: String,
}

/// The faults of the last minute, from one snapshot to the next.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The counters when they were last looked at.
    seen: HashMap<(Kind, String), Seen>,
    /// The server's uptime when the watch began: a minute that has not passed yet is shorter.
    since_ms: Option<u64>,
    now_ms: u64,
}

#[derive(Debug)]
struct Seen {
    total: u64,
    /// When it happened in the last minute, by the server's uptime, and how often. One entry for each second at most.
    when: VecDeque<(u64, u64)>,
    last_ms: Option<u64>,
}

const MINUTE: u64 = 60_000;

impl Faults {
    /// Looks at the counters of a snapshot. Of another run than before nothing is compared, so forget then.
    pub(crate) fn look(&mut self, snapshot: &Snapshot) -> Vec<Line> {
        let now = snapshot.about.uptime_ms;
        let first = self.since_ms.is_none();
        self.since_ms.get_or_insert(now);
        self.now_ms = now;
        let counted = counters(snapshot);
        // What the server does not name any more need not be kept.
        self.seen.retain(|key, _| counted.contains_key(key));
        let mut lines: Vec<Line> = counted
            .into_iter()
            .map(|((kind, what), total)| {
                // A way to end that is named for the first time has just happened; in the first snapshot nobody knows when.
                let before = if first { total } else { 0 };
                let seen = self.seen.entry((kind, what.clone())).or_insert_with(|| Seen {
                    total: before,
                    when: VecDeque::new(),
                    last_ms: None,
                });
                seen.look(total, now);
                let key = format!("{} {what}", kind.word());
                let ago_ms = seen.last_ms.map(|last| now.saturating_sub(last));
                Line { kind, what, total, minute: seen.minute(), ago_ms, key }
            })
            .collect();
        lines.retain(|line| line.total > 0);
        lines
    }

    /// For how long the counts of the last minute have been gathered, in milliseconds.
    pub(crate) fn gathered(&self) -> u64 {
        self.since_ms.map_or(0, |since| self.now_ms.saturating_sub(since)).min(MINUTE)
    }
}

impl Seen {
    fn look(&mut self, total: u64, now: u64) {
        let more = total.saturating_sub(self.total);
        self.total = total;
        if more > 0 {
            self.last_ms = Some(now);
            match self.when.back_mut() {
                Some((when, count)) if now.saturating_sub(*when) < 1000 => *count = count.saturating_add(more),
                _ => self.when.push_back((now, more)),
            }
        }
        while self.when.front().is_some_and(|(when, _)| now.saturating_sub(*when) >= MINUTE) {
            self.when.pop_front();
        }
    }

    fn minute(&self) -> u64 {
        sum(self.when.iter().map(|(_, count)| *count))
    }
}

/// How often each thing went wrong in all.
fn counters(snapshot: &Snapshot) -> HashMap<(Kind, String), u64> {
    let mut counters = HashMap::new();
    let mut add = |kind, what, count| {
        let sum: &mut u64 = counters.entry((kind, what)).or_insert(0);
        *sum = sum.saturating_add(count);
    };
    for limit in &snapshot.limits {
        add(Kind::Limit, limit.name.clone(), limit.met);
    }
    for closes in &snapshot.closes {
        if let Some(kind) = Kind::of_close(&closes.code) {
            add(kind, format!("closed: {}, by {}", closes.code, closes.by), closes.count);
        }
    }
    for action in &snapshot.actions {
        let what = match action.direction.as_str() {
            "in" => action.action.clone(),
            _ => format!("{}, to a peer", action.action),
        };
        add(Kind::Handler, what, action.failed);
    }
    counters
}

/// What a server counts may be anything: a sum stays at the top.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// How many there were in the last minute, of each kind.
pub(crate) fn by_kind(lines: &[Line]) -> [u64; 5] {
    Kind::ALL.map(|(kind, _)| sum(lines.iter().filter(|line| line.kind == kind).map(|line| line.minute)))
}

impl Row for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::<Self>::left("KIND", "kind", 8, |line, _| line.kind.word().to_owned(), |a, b| a.kind.cmp(&b.kind)),
        Column::<Self>::left("WHAT", "what", 24, |line, width| plain(&line.what, width), |a, b| a.what.cmp(&b.what))
            .grows(1),
        Column::<Self>::right("LAST/min", "minute", 9, |line, _| count(line.minute), |a, b| a.minute.cmp(&b.minute)),
        Column::<Self>::right("IN ALL", "total", 7, |line, _| count(line.total), |a, b| a.total.cmp(&b.total)),
        Column::<Self>::left("  LAST SEEN", "last", 14, |line, _| line.last_seen(), |a, b| b.ago().cmp(&a.ago()))
            .from(70)
            .descends(),
    ];
    const SORTED_BY: usize = 2;

    fn key(&self) -> &str {
        &self.key
    }

    fn label(&self) -> String {
        plain(&self.what, 40)
    }

    fn matches(&self, filter: &str) -> bool {
        self.key.to_lowercase().contains(filter)
    }

    fn alarming(&self) -> bool {
        self.minute > 0
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        vec![
            ("kind", self.kind.word().to_owned()),
            ("what", plain(&self.what, 120)),
            ("in all", self.total.to_string()),
            ("last minute", self.minute.to_string()),
            ("last seen", self.last_seen().trim().to_owned()),
        ]
    }
}

impl Line {
    fn ago(&self) -> u64 {
        self.ago_ms.unwrap_or(u64::MAX)
    }

    fn last_seen(&self) -> String {
        self.ago_ms.map_or_else(|| "  earlier".to_owned(), |ago| format!("  {} ago", span(ago)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::fixtures::{action, closes, limit, snapshot};

    fn at(uptime_ms: u64, met: u64, timeouts: u64) -> Snapshot {
        let mut snapshot = snapshot(uptime_ms);
        snapshot.limits.push(limit("max_calls", 16, None, met));
        if timeouts > 0 {
            snapshot.closes.push(closes("timeout", "here", timeouts));
        }
        snapshot
    }

    #[test]
    fn what_was_there_before_is_not_of_this_minute() {
        let mut faults = Faults::default();
        let lines = faults.look(&at(5_000, 7, 0));
        assert_eq!((lines[0].total, lines[0].minute, lines[0].ago_ms), (7, 0, None));
        let lines = faults.look(&at(6_000, 9, 0));
        assert_eq!((lines[0].total, lines[0].minute, lines[0].ago_ms), (9, 2, Some(0)));
        assert_eq!(faults.gathered(), 1_000);
    }

    #[test]
    fn a_minute_passes() {
        let mut faults = Faults::default();
        faults.look(&at(1_000, 0, 0));
        faults.look(&at(2_000, 5, 0));
        assert_eq!(faults.look(&at(61_999, 5, 0))[0].minute, 5);
        let lines = faults.look(&at(62_000, 5, 0));
        assert_eq!((lines[0].minute, lines[0].ago_ms), (0, Some(60_000)));
        assert_eq!(faults.gathered(), MINUTE);
    }

    #[test]
    fn a_new_way_to_end_counts_at_once() {
        let mut faults = Faults::default();
        faults.look(&at(1_000, 0, 0));
        let lines = faults.look(&at(2_000, 0, 3));
        assert_eq!(by_kind(&lines), [0, 0, 3, 0, 0]);
    }

    #[test]
    fn a_good_end_is_no_fault() {
        let mut snapshot = snapshot(1_000);
        snapshot.closes.extend([
            closes("normal", "peer", 3),
            closes("going-away", "here", 1),
            closes("lost", "transport", 2),
        ]);
        snapshot.actions.extend([action("say", "in", 5, 1), action("say", "out", 5, 0)]);
        let mut lines = Faults::default().look(&snapshot);
        lines.sort_by_key(|line| line.kind);
        let shown: Vec<(&str, u64)> = lines.iter().map(|line| (line.what.as_str(), line.total)).collect();
        assert_eq!(shown, [("say", 1), ("closed: lost, by transport", 2)]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut faults = Faults::default();
        for step in 0..100_000_u64 {
            faults.look(&at(step * 10, step, 0));
        }
        assert!(faults.seen.values().all(|seen| seen.when.len() <= 61), "one entry a second");
        faults.look(&snapshot(2_000_000));
        assert!(faults.seen.is_empty());
    }
}
