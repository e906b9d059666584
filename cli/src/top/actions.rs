//! The actions: what their table shows.

use pnet::inspect::{Action, Snapshot};

use super::{
    connections::by_number,
    list::{Column, Row},
    rates::{Before, Handled},
    text::{count, millis, plain, rate_or_dash},
};

/// An action with its rates.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) of: Action,
    rates: Handled,
    /// What tells it from the others: one name may go both ways.
    key: String,
}

/// The actions of a snapshot.
pub(crate) fn lines(snapshot: &Snapshot, before: Option<&Before>) -> Vec<Line> {
    let actions = snapshot.actions.iter();
    actions
        .map(|one| Line {
            of: one.clone(),
            rates: before.map(|before| before.action(one, snapshot)).unwrap_or_default(),
            key: format!("{} {}", one.action, one.direction),
        })
        .collect()
}

/// The slowest of what comes, by the duration that 99 in 100 do not exceed: microseconds. Those with too few samples are left
/// out.
pub(crate) fn slowest(lines: &[Line]) -> Option<f64> {
    let sampled = lines.iter().filter(|line| line.of.direction == "in" && !line.is_rough());
    sampled.filter_map(|line| line.of.p99_us).max_by(f64::total_cmp)
}

impl Line {
    /// Whether its durations rest on too few samples to be taken at their word.
    const fn is_rough(&self) -> bool {
        self.of.samples < 100
    }

    fn duration(&self, us: Option<f64>) -> String {
        let rough = if self.is_rough() { "~" } else { "" };
        us.map_or_else(|| "-".to_owned(), |us| format!("{rough}{}", millis(us)))
    }

    fn reply(&self) -> &str {
        self.of.reply.as_deref().unwrap_or("-")
    }
}

impl Row for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::<Self>::left(
            "ACTION",
            "action",
            14,
            |line, width| plain(&line.of.action, width),
            |a, b| a.of.action.cmp(&b.of.action),
        )
        .grows(2),
        Column::<Self>::left(
            "DIR",
            "direction",
            4,
            |line, width| plain(&line.of.direction, width),
            |a, b| a.of.direction.cmp(&b.of.direction),
        ),
        Column::<Self>::left(
            "PACKET",
            "packet",
            12,
            |line, width| plain(&line.of.packet, width),
            |a, b| a.of.packet.cmp(&b.of.packet),
        )
        .grows(1)
        .from(100),
        Column::<Self>::left(
            "REPLY",
            "reply",
            12,
            |line, width| plain(line.reply(), width),
            |a, b| a.of.reply.cmp(&b.of.reply),
        )
        .grows(1)
        .from(100),
        Column::<Self>::right(
            "CALL/s",
            "rate",
            7,
            |line, _| rate_or_dash(line.rates.handled),
            |a, b| by_number(a.rates.handled, b.rates.handled),
        ),
        Column::<Self>::right(
            "HANDLED",
            "handled",
            8,
            |line, _| count(line.of.handled),
            |a, b| a.of.handled.cmp(&b.of.handled),
        ),
        Column::<Self>::right(
            "FAIL",
            "failed",
            5,
            |line, _| count(line.of.failed),
            |a, b| a.of.failed.cmp(&b.of.failed),
        ),
        Column::<Self>::right(
            "FAIL/s",
            "fail_rate",
            7,
            |line, _| rate_or_dash(line.rates.failed),
            |a, b| by_number(a.rates.failed, b.rates.failed),
        )
        .from(70),
        Column::<Self>::right(
            "P50ms",
            "p50",
            6,
            |line, _| line.duration(line.of.p50_us),
            |a, b| by_number(a.of.p50_us, b.of.p50_us),
        )
        .from(70),
        Column::<Self>::right(
            "P99ms",
            "p99",
            6,
            |line, _| line.duration(line.of.p99_us),
            |a, b| by_number(a.of.p99_us, b.of.p99_us),
        ),
        Column::<Self>::left(
            "S",
            "fail_rate",
            2,
            |line, _| if line.alarming() { "!" } else { "." }.to_owned(),
            |a, b| a.alarming().cmp(&b.alarming()),
        )
        .descends(),
    ];
    const SORTED_BY: usize = 4;

    fn key(&self) -> &str {
        &self.key
    }

    fn label(&self) -> String {
        plain(&self.of.action, 40)
    }

    fn matches(&self, filter: &str) -> bool {
        [&self.of.action, &self.of.packet, &self.of.direction].iter().any(|text| text.to_lowercase().contains(filter))
            || self.reply().to_lowercase().contains(filter)
    }

    fn alarming(&self) -> bool {
        self.rates.failed.is_some_and(|rate| rate > 0.0)
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let of = &self.of;
        let comes = of.direction == "in";
        let duration = |us| format!("{} ms", self.duration(us));
        vec![
            ("action", plain(&of.action, 80)),
            ("direction", if comes { "in: the other side sends it" } else { "out: this side sends it" }.to_owned()),
            ("packet", plain(&of.packet, 80)),
            ("reply", plain(self.reply(), 80)),
            (if comes { "handled" } else { "sent" }, of.handled.to_string()),
            ("a second", rate_or_dash(self.rates.handled)),
            ("failed", format!("{}; {}/s", of.failed, rate_or_dash(self.rates.failed))),
            ("half within", duration(of.p50_us)),
            ("99 % within", duration(of.p99_us)),
            ("samples", format!("{} (one in 64; under 100 the durations are rough: ~)", of.samples)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::{
        fixtures::{action, snapshot},
        list::{List, Listing as _},
    };

    #[test]
    fn durations_of_few_samples_are_marked() {
        let mut snapshot = snapshot(1);
        let mut say = action("say", "in", 1, 0);
        (say.samples, say.p99_us) = (99, Some(1_940.0));
        let mut ask = action("ask", "in", 1, 0);
        (ask.samples, ask.p99_us) = (100, Some(80.0));
        snapshot.actions.extend([say, ask, action("told", "out", 1, 0)]);
        let lines = lines(&snapshot, None);
        let shown: Vec<String> = lines.iter().map(|line| line.duration(line.of.p99_us)).collect();
        assert_eq!(shown, ["~1.94", "0.08", "-"]);
        assert_eq!(slowest(&lines), Some(80.0));
    }

    #[test]
    fn a_name_that_goes_both_ways_is_two_rows() {
        let mut snapshot = snapshot(1);
        snapshot.actions.extend([action("say", "in", 1, 0), action("say", "out", 1, 0)]);
        let lines = lines(&snapshot, None);
        assert_ne!(lines[0].key(), lines[1].key());
    }

    #[test]
    fn failing_now_is_marked() {
        let mut before = snapshot(1_000);
        before.actions.extend([action("say", "in", 10, 1), action("ask", "in", 10, 1)]);
        let mut now = snapshot(2_000);
        now.actions.extend([action("say", "in", 12, 2), action("ask", "in", 10, 1)]);
        let lines = lines(&now, Some(&Before::new(&before)));
        assert!(lines[0].alarming() && !lines[1].alarming());
        assert_eq!(lines[0].rates.handled, Some(2.0));
    }

    #[test]
    fn the_first_order_is_by_rate() {
        assert_eq!(List::<Line>::new().sorted(), ("rate", true));
    }
}
