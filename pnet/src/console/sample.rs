//! Snapshots for operators: filtered, sorted, and cut then, with totals over all.

use std::{collections::HashMap, time::Instant};

use super::{attach::SORT_KEYS, fault::Fault, protocol::Sample};
use crate::{
    inspect::{Connection, Flow, Snapshot},
    operate::nearest,
};

/// What an operator was shown last, so that rates can be told.
#[derive(Debug, Default)]
pub(super) struct Rates {
    at: Option<Instant>,
    counts: HashMap<String, Counts>,
    rates: HashMap<String, Counts>,
}

/// Of one connection: what has come, what has gone, bytes both ways.
#[derive(Clone, Copy, Debug, Default)]
struct Counts([f64; 3]);

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "connections are compared by it, and nothing else")]
    fn of(connection: &Connection) -> Self {
        let (received, sent) = (&connection.received, &connection.sent);
        let packets = |flow: &Flow| flow.packets.saturating_add(flow.calls) as f64;
        Self([packets(received), packets(sent), received.bytes.saturating_add(sent.bytes) as f64])
    }
}

impl Rates {
    /// Looks at all connections; those that are gone are forgotten.
    pub(super) fn look(&mut self, connections: &[Connection], now: Instant) {
        let since = self.at.replace(now).map(|at| now.saturating_duration_since(at).as_secs_f64());
        let counts: HashMap<String, Counts> =
            connections.iter().map(|connection| (connection.id.clone(), Counts::of(connection))).collect();
        self.rates = counts
            .iter()
            .map(|(id, Counts(now))| {
                let before = self.counts.get(id).copied().unwrap_or_default().0;
                let seconds = since.filter(|seconds| *seconds > 0.0).unwrap_or(1.0);
                let rate = [0, 1, 2].map(|index| (now[index] - before[index]) / seconds);
                (id.clone(), Counts(rate))
            })
            .collect();
        self.counts = counts;
    }

    fn rate(&self, id: &str, index: usize) -> f64 {
        self.rates.get(id).map_or(0.0, |Counts(rates)| rates[index])
    }
}

/// Does to a snapshot what a query asks for.
pub(super) fn arrange(mut snapshot: Snapshot, query: &Sample, rates: &mut Rates) -> Result<Snapshot, Fault> {
    rates.look(&snapshot.connections, Instant::now());
    if !query.filter.is_empty() {
        let wanted = query.filter.to_lowercase();
        snapshot.connections.retain(|connection| has(connection, &wanted));
    }
    sort(&mut snapshot.connections, &query.sort, query.descending, rates)?;
    if let Some(limit) = query.limit {
        snapshot.connections.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let Snapshot { about, totals, connections, actions, limits, closes } = snapshot;
    let rest = Snapshot { about, totals, ..Snapshot::default() };
    Ok(match &*query.section {
        "" => Snapshot { connections, actions, limits, closes, ..rest },
        "connections" => Snapshot { connections, ..rest },
        "actions" => Snapshot { actions, ..rest },
        "limits" => Snapshot { limits, ..rest },
        "closes" => Snapshot { closes, ..rest },
        section => return Err(Fault::usage(format!("no section `{section}`"))),
    })
}

fn has(connection: &Connection, wanted: &str) -> bool {
    let Connection { id, addr, form, key, person, .. } = connection;
    let all = [Some(id), Some(addr), Some(form), key.as_ref(), person.as_ref()];
    all.into_iter().flatten().any(|text| text.to_lowercase().contains(wanted))
}

/// Sorts connections by a key; ties go by id.
pub(super) fn sort(connections: &mut [Connection], key: &str, descending: bool, rates: &Rates) -> Result<(), Fault> {
    if key.is_empty() {
        return Ok(());
    }
    if !SORT_KEYS.contains(&key) {
        let keys = SORT_KEYS.join(", ");
        return Err(Fault::usage(match &*nearest(key, SORT_KEYS.iter().copied()) {
            [] => format!("nothing is sorted by `{key}`; there are {keys}"),
            [first, ..] => format!("nothing is sorted by `{key}`; nearest: {first}; there are {keys}"),
        }));
    }
    let packets = |flow: &Flow| flow.packets.saturating_add(flow.calls);
    let bytes = |connection: &Connection| connection.received.bytes.saturating_add(connection.sent.bytes);
    let rate = |a: &Connection, b: &Connection, index| rates.rate(&a.id, index).total_cmp(&rates.rate(&b.id, index));
    connections.sort_by(|a, b| {
        let order = match key {
            "addr" => a.addr.cmp(&b.addr),
            "form" => (&a.form, a.tls).cmp(&(&b.form, b.tls)),
            "person" => a.person.cmp(&b.person),
            "key" => a.key.cmp(&b.key),
            "age" => a.age_ms.cmp(&b.age_ms),
            "idle" => a.idle_ms.cmp(&b.idle_ms),
            "rtt" => a.rtt_us.cmp(&b.rtt_us),
            "in" => packets(&a.received).cmp(&packets(&b.received)),
            "out" => packets(&a.sent).cmp(&packets(&b.sent)),
            "bytes" => bytes(a).cmp(&bytes(b)),
            "queue" => (a.queue_packets, a.queue_bytes).cmp(&(b.queue_packets, b.queue_bytes)),
            "flight" => a.in_flight.cmp(&b.in_flight),
            "in_rate" => rate(a, b, 0),
            "out_rate" => rate(a, b, 1),
            "byte_rate" => rate(a, b, 2),
            "id" => a.id.cmp(&b.id),
            _ => unreachable!("`{key}` is one of SORT_KEYS"),
        };
        if descending { order.reverse() } else { order }.then_with(|| a.id.cmp(&b.id))
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(id: &str, sent: u64, queue: u64) -> Connection {
        Connection {
            id: id.to_owned(),
            addr: format!("127.0.0.1:{sent}"),
            sent: Flow { packets: sent, ..Flow::default() },
            queue_packets: queue,
            ..Connection::default()
        }
    }

    fn snapshot(of: &[(&str, u64, u64)]) -> Snapshot {
        let connections = of.iter().map(|(id, sent, queue)| connection(id, *sent, *queue)).collect();
        Snapshot { connections, ..Snapshot::default() }
    }

    fn ids(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.connections.iter().map(|connection| &*connection.id).collect()
    }

    fn arranged(query: &Sample, rates: &mut Rates, of: &[(&str, u64, u64)]) -> Vec<String> {
        let snapshot = arrange(snapshot(of), query, rates).unwrap();
        ids(&snapshot).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn is_sorted_before_it_is_cut() {
        let query = Sample { sort: "queue".into(), descending: true, limit: Some(2), ..Sample::default() };
        let shown = arranged(&query, &mut Rates::default(), &[("a", 0, 1), ("b", 0, 9), ("d", 0, 5), ("c", 0, 5)]);
        assert_eq!(shown, ["b", "c"]);
    }

    #[test]
    fn rates_are_since_the_last_look() {
        let query = Sample { sort: "out_rate".into(), descending: true, ..Sample::default() };
        let mut rates = Rates::default();
        assert_eq!(arranged(&query, &mut rates, &[("a", 900, 0), ("b", 100, 0)]), ["a", "b"]);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert_eq!(arranged(&query, &mut rates, &[("a", 901, 0), ("b", 200, 0)]), ["b", "a"]);
    }

    #[test]
    fn every_key_sorts_and_others_are_named() {
        for key in SORT_KEYS {
            sort(&mut snapshot(&[("b", 1, 0), ("a", 2, 0)]).connections, key, false, &Rates::default()).unwrap();
        }
        let fault = sort(&mut [], "quee", false, &Rates::default()).unwrap_err().to_string();
        assert!(fault.contains("nearest: queue"), "{fault}");
    }

    #[test]
    fn a_filter_looks_into_all_texts() {
        let query = Sample { filter: ":90".into(), ..Sample::default() };
        assert_eq!(arranged(&query, &mut Rates::default(), &[("a", 900, 0), ("b", 100, 0)]), ["a"]);
    }
}
