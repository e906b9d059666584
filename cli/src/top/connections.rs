//! The connections: what their table shows.

use std::cmp::Ordering;

use pnet::inspect::{Connection, Snapshot};

use super::{
    list::{Column, Row},
    rates::{Before, Traffic},
    text::{count, cut_middle, millis, plain, rate_or_dash, short_span, span},
};

/// A connection with its rates.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) of: Connection,
    pub(crate) traffic: Traffic,
    /// The shortest beginning of the id that no other one has, of four characters or more.
    short: String,
}

impl Line {
    /// How people call it, with its address.
    pub(crate) fn named(&self) -> String {
        format!("{} {}", self.short, plain(&self.of.addr, 60))
    }

    /// Whether more than half of the queue is full.
    fn is_queueing(&self) -> bool {
        self.of.queue_limit > 0 && self.of.queue_packets > self.of.queue_limit / 2
    }

    fn form(&self) -> String {
        let form = match self.of.form.as_str() {
            "native" => "nat".to_owned(),
            form => plain(form, 4),
        };
        form + if self.of.tls { "+t" } else { "" }
    }

    /// A key begins with the name of its hash, which tells nothing.
    fn key_begins(&self, width: usize) -> String {
        let key = self.of.key.as_deref().unwrap_or("-");
        plain(key.strip_prefix("SHA256:").unwrap_or(key), 80).chars().take(width).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn round_trip(&self) -> String {
        self.of.rtt_us.map_or_else(|| "-".to_owned(), |us| millis(us as f64))
    }

    fn marks(&self) -> String {
        let marks: String = [(self.is_queueing(), '!'), (self.of.suspended, 'S')]
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, mark)| *mark)
            .collect();
        if marks.is_empty() { ".".to_owned() } else { marks }
    }
}

/// The connections of a snapshot.
pub(crate) fn lines(snapshot: &Snapshot, before: Option<&Before>) -> Vec<Line> {
    let short = short_ids(snapshot.connections.iter().map(|one| one.id.as_str()).collect());
    let lines = snapshot.connections.iter().zip(short);
    lines
        .map(|(one, short)| {
            let traffic = before.map(|before| before.connection(one, snapshot)).unwrap_or_default();
            Line { of: one.clone(), traffic, short }
        })
        .collect()
}

/// For each id its shortest beginning that no other one has, of four characters or more.
fn short_ids(ids: Vec<&str>) -> Vec<String> {
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    let common = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    ids.into_iter()
        .map(|id| {
            let place = sorted.binary_search(&id).unwrap_or(0);
            let before = place.checked_sub(1).and_then(|place| sorted.get(place)).map_or(0, |other| common(id, other));
            let after = sorted.get(place + 1).map_or(0, |other| common(id, other));
            let short: String = id.chars().take(before.max(after).saturating_add(1).max(4)).collect();
            plain(&short, 40)
        })
        .collect()
}

/// The order of numbers that may be unknown: those are lowest.
pub(crate) fn by_number(a: Option<f64>, b: Option<f64>) -> Ordering {
    a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0))
}

/// What takes two columns on a wide screen is one on a narrow one.
const WIDE: usize = 110;

impl Row for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::<Self>::left(
            "ID",
            "id",
            6,
            |line, width| line.short.chars().take(width).collect(),
            |a, b| a.of.id.cmp(&b.of.id),
        ),
        Column::<Self>::left(
            "ADDR",
            "addr",
            15,
            |line, width| cut_middle(&plain(&line.of.addr, 80), width),
            |a, b| a.of.addr.cmp(&b.of.addr),
        )
        .grows(2),
        Column::<Self>::left(
            "PERSON",
            "person",
            8,
            |line, width| plain(line.of.person.as_deref().unwrap_or("-"), width),
            |a, b| a.of.person.cmp(&b.of.person),
        )
        .grows(1)
        .from(130),
        Column::<Self>::left(
            "FORM",
            "form",
            6,
            |line, _| line.form(),
            |a, b| (&a.of.form, a.of.tls).cmp(&(&b.of.form, b.of.tls)),
        )
        .from(71),
        Column::<Self>::left("KEY", "key", 6, |line, width| line.key_begins(width), |a, b| a.of.key.cmp(&b.of.key))
            .from(WIDE),
        Column::<Self>::right(
            "SINCE",
            "age",
            6,
            |line, _| short_span(line.of.age_ms),
            |a, b| a.of.age_ms.cmp(&b.of.age_ms),
        )
        .from(WIDE),
        Column::<Self>::right(
            "IDLE",
            "idle",
            5,
            |line, _| short_span(line.of.idle_ms),
            |a, b| a.of.idle_ms.cmp(&b.of.idle_ms),
        )
        .from(60),
        Column::<Self>::right("RTTms", "rtt", 6, |line, _| line.round_trip(), |a, b| a.of.rtt_us.cmp(&b.of.rtt_us))
            .from(78),
        Column::<Self>::right(
            "IN/s",
            "in_rate",
            5,
            |line, _| rate_or_dash(line.traffic.received),
            |a, b| by_number(a.traffic.received, b.traffic.received),
        ),
        Column::<Self>::right(
            "OUT/s",
            "out_rate",
            6,
            |line, _| rate_or_dash(line.traffic.sent),
            |a, b| by_number(a.traffic.sent, b.traffic.sent),
        ),
        Column::<Self>::right(
            "B/s",
            "byte_rate",
            5,
            |line, _| rate_or_dash(line.traffic.bytes()),
            |a, b| by_number(a.traffic.bytes(), b.traffic.bytes()),
        )
        .from(60)
        .until(WIDE),
        Column::<Self>::right(
            "INB/s",
            "byte_rate",
            6,
            |line, _| rate_or_dash(line.traffic.bytes_received),
            |a, b| by_number(a.traffic.bytes_received, b.traffic.bytes_received),
        )
        .from(WIDE),
        Column::<Self>::right(
            "OUTB/s",
            "byte_rate",
            7,
            |line, _| rate_or_dash(line.traffic.bytes_sent),
            |a, b| by_number(a.traffic.bytes_sent, b.traffic.bytes_sent),
        )
        .from(WIDE),
        Column::<Self>::right(
            "QUEUE",
            "queue",
            6,
            |line, _| count(line.of.queue_packets),
            |a, b| a.of.queue_packets.cmp(&b.of.queue_packets),
        ),
        Column::<Self>::right(
            "QKiB",
            "queue",
            5,
            |line, _| count(line.of.queue_bytes.div_ceil(1024)),
            |a, b| a.of.queue_bytes.cmp(&b.of.queue_bytes),
        )
        .from(WIDE),
        Column::<Self>::right(
            "FLY",
            "flight",
            4,
            |line, _| count(line.of.in_flight),
            |a, b| a.of.in_flight.cmp(&b.of.in_flight),
        )
        .from(64),
        // A program does not sort by these marks. What has one is where the queues are.
        Column::<Self>::left(
            "S",
            "queue",
            2,
            |line, _| line.marks(),
            |a, b| (a.is_queueing(), a.of.suspended).cmp(&(b.is_queueing(), b.of.suspended)),
        )
        .descends(),
    ];
    const SORTED_BY: usize = 9;

    fn key(&self) -> &str {
        &self.of.id
    }

    fn label(&self) -> String {
        self.short.clone()
    }

    fn matches(&self, filter: &str) -> bool {
        let of = &self.of;
        [Some(&of.id), Some(&of.addr), Some(&of.form), of.key.as_ref(), of.person.as_ref()]
            .into_iter()
            .flatten()
            .any(|text| text.to_lowercase().contains(filter))
    }

    fn alarming(&self) -> bool {
        self.is_queueing()
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let of = &self.of;
        let flow = |flow: pnet::inspect::Flow, packets, bytes| {
            let total = format!("{} packets, {} calls, {}B", count(flow.packets), count(flow.calls), count(flow.bytes));
            format!("{total}; {}/s, {}B/s", rate_or_dash(packets), rate_or_dash(bytes))
        };
        let traffic = &self.traffic;
        let dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), |text| plain(text, 120));
        vec![
            ("id", plain(&of.id, 80)),
            ("address", plain(&of.addr, 120)),
            ("form", plain(&of.form, 20) + if of.tls { ", over TLS" } else { "" }),
            ("key", dash(&of.key)),
            ("person", dash(&of.person)),
            ("since", span(of.age_ms)),
            ("idle", span(of.idle_ms)),
            ("round trip", of.rtt_us.map_or_else(|| "not measured".to_owned(), |_| self.round_trip() + " ms")),
            ("in", flow(of.received, traffic.received, traffic.bytes_received)),
            ("out", flow(of.sent, traffic.sent, traffic.bytes_sent)),
            ("queue", format!("{} of {} packets, {} B", of.queue_packets, of.queue_limit, of.queue_bytes)),
            ("in flight", format!("{} of theirs, {} of ours", of.in_flight, of.awaited)),
            ("delivery", if of.suspended { "suspended (S)".to_owned() } else { "goes on".to_owned() }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::{
        fixtures::{connection, snapshot},
        list::{List, Listing as _},
    };

    #[test]
    fn ids_are_as_short_as_they_can_be() {
        let ids = vec!["81c0aa", "8e1122", "7f3a00", "7f3a01", "ab"];
        assert_eq!(short_ids(ids), ["81c0", "8e11", "7f3a00", "7f3a01", "ab"]);
        // Twice the same is a fault of the server, and no reason to stop.
        assert_eq!(short_ids(vec!["aaaaaa", "aaaaaa"]), ["aaaaaa", "aaaaaa"]);
    }

    #[test]
    fn marks_tell_without_colours() {
        let mut snapshot = snapshot(1);
        let mut full = connection("aa", 0, 0);
        (full.queue_packets, full.queue_limit, full.suspended) = (51, 100, true);
        snapshot.connections.extend([full, connection("bb", 0, 0)]);
        let lines = lines(&snapshot, None);
        assert_eq!((lines[0].marks(), lines[0].alarming()), ("!S".to_owned(), true));
        assert_eq!((lines[1].marks(), lines[1].alarming()), (".".to_owned(), false));
    }

    #[test]
    fn a_filter_finds_ids_addresses_forms_keys_and_people() {
        let mut snapshot = snapshot(1);
        let mut one = connection("7F3A", 0, 0);
        (one.addr, one.person) = ("10.0.4.17:50412".to_owned(), Some("Ada".to_owned()));
        one.key = Some("SHA256:x".to_owned());
        snapshot.connections.push(one);
        let lines = lines(&snapshot, None);
        for found in ["7f3", "4.17", "native", "sha256", "ada"] {
            assert!(lines[0].matches(found), "{found}");
        }
        assert!(!lines[0].matches("eve"));
    }

    #[test]
    fn the_first_order_is_by_what_goes_out() {
        assert_eq!(List::<Line>::new().sorted(), ("out_rate", true));
    }
}
