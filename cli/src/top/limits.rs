//! The limits: what their table shows.

use pnet::inspect::{Limit, Snapshot};

use super::{
    connections::by_number,
    list::{Column, Row},
    text::{count, plain},
};

/// A limit.
#[derive(Debug)]
pub(crate) struct Line {
    of: Limit,
}

/// The limits of a snapshot.
pub(crate) fn lines(snapshot: &Snapshot) -> Vec<Line> {
    snapshot.limits.iter().map(|of| Line { of: of.clone() }).collect()
}

impl Line {
    /// Which part is used, in percent.
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    fn percent(&self) -> Option<f64> {
        let used = self.of.used?;
        (self.of.allowed > 0).then(|| used as f64 * 100.0 / self.of.allowed as f64)
    }
}

impl Row for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::<Self>::left(
            "LIMIT",
            "name",
            16,
            |line, width| plain(&line.of.name, width),
            |a, b| a.of.name.cmp(&b.of.name),
        )
        .grows(1),
        Column::<Self>::right(
            "ALLOWED",
            "allowed",
            8,
            |line, _| count(line.of.allowed),
            |a, b| a.of.allowed.cmp(&b.of.allowed),
        ),
        Column::<Self>::left(
            "UNIT",
            "unit",
            7,
            |line, width| plain(&line.of.unit, width),
            |a, b| a.of.unit.cmp(&b.of.unit),
        ),
        Column::<Self>::right(
            "USED",
            "used",
            6,
            |line, _| line.of.used.map_or_else(|| "-".to_owned(), count),
            |a, b| a.of.used.cmp(&b.of.used),
        ),
        Column::<Self>::right(
            "USE%",
            "percent",
            6,
            |line, _| line.percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}")),
            |a, b| by_number(a.percent(), b.percent()),
        ),
        Column::<Self>::right("MET", "met", 6, |line, _| count(line.of.met), |a, b| a.of.met.cmp(&b.of.met)),
        Column::<Self>::left(
            "S",
            "alarming",
            2,
            |line, _| if line.alarming() { "!" } else { "." }.to_owned(),
            |a, b| a.alarming().cmp(&b.alarming()),
        )
        .descends(),
    ];
    const SORTED_BY: usize = 5;

    fn key(&self) -> &str {
        &self.of.name
    }

    fn label(&self) -> String {
        plain(&self.of.name, 40)
    }

    fn matches(&self, filter: &str) -> bool {
        self.of.name.to_lowercase().contains(filter) || self.of.unit.to_lowercase().contains(filter)
    }

    fn alarming(&self) -> bool {
        self.percent().is_some_and(|percent| percent > 80.0)
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let of = &self.of;
        vec![
            ("limit", plain(&of.name, 80)),
            ("allowed", format!("{} {}", of.allowed, plain(&of.unit, 20))),
            ("used", of.used.map_or_else(|| "not one number".to_owned(), |used| used.to_string())),
            ("met", format!("{} times: somebody had to wait, was refused, or had to go", of.met)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::{
        fixtures::{limit, snapshot},
        list::{List, Listing as _},
    };

    #[test]
    fn a_limit_that_is_nearly_used_up_is_marked() {
        let mut snapshot = snapshot(1);
        let some = [
            limit("a", 100, Some(81), 0),
            limit("b", 100, Some(80), 0),
            limit("c", 0, Some(5), 0),
            limit("d", 9, None, 0),
        ];
        snapshot.limits.extend(some);
        let marked: Vec<bool> = lines(&snapshot).iter().map(Row::alarming).collect();
        assert_eq!(marked, [true, false, false, false]);
    }

    #[test]
    fn the_first_order_is_by_how_often_it_was_met() {
        assert_eq!(List::<Line>::new().sorted(), ("met", true));
    }
}
