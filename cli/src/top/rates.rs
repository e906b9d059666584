//! What happened between two snapshots: differences of counters by the time that passed.
//!
//! Time is the server's own uptime, which no clock that is set can move. Where it went back, the server is another one, and
//! nothing is compared.

use std::{collections::HashMap, time::Duration};

use pnet::inspect::{Action, Connection, Flow, Snapshot};

/// What a connection, or all of them together, carries in a second. Unknown before there are two snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Traffic {
    /// Packets and calls that come.
    pub(crate) received: Option<f64>,
    /// Packets and calls that go.
    pub(crate) sent: Option<f64>,
    pub(crate) bytes_received: Option<f64>,
    pub(crate) bytes_sent: Option<f64>,
}

impl Traffic {
    /// Bytes both ways.
    pub(crate) fn bytes(&self) -> Option<f64> {
        Some(self.bytes_received? + self.bytes_sent?)
    }
}

/// What an action does in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Handled {
    pub(crate) handled: Option<f64>,
    pub(crate) failed: Option<f64>,
}

/// The counters of the snapshot before, by what they belong to.
#[derive(Debug, Default)]
pub(crate) struct Before {
    fingerprint: String,
    uptime_ms: u64,
    accepted: u64,
    totals: (Flow, Flow),
    connections: HashMap<String, (Flow, Flow)>,
    actions: HashMap<(String, String), (u64, u64)>,
}

impl Before {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let connections = snapshot.connections.iter();
        let actions = snapshot.actions.iter();
        Self {
            fingerprint: snapshot.about.fingerprint.clone(),
            uptime_ms: snapshot.about.uptime_ms,
            accepted: snapshot.totals.accepted,
            totals: (snapshot.totals.received, snapshot.totals.sent),
            connections: connections.map(|one| (one.id.clone(), (one.received, one.sent))).collect(),
            actions: actions
                .map(|one| ((one.action.clone(), one.direction.clone()), (one.handled, one.failed)))
                .collect(),
        }
    }

    /// Whether `snapshot` is of another run of the program than this.
    pub(crate) fn restarted(&self, snapshot: &Snapshot) -> bool {
        snapshot.about.uptime_ms < self.uptime_ms
            || snapshot.totals.accepted < self.accepted
            || snapshot.about.fingerprint != self.fingerprint
    }

    /// Whether `snapshot` is at least so much later than this, or cannot be compared with it.
    pub(crate) fn is_older_than(&self, snapshot: &Snapshot, time: Duration) -> bool {
        let passed = snapshot.about.uptime_ms.saturating_sub(self.uptime_ms);
        self.restarted(snapshot) || u128::from(passed) >= time.as_millis()
    }

    /// Seconds from here to `snapshot`; `None` if they cannot be compared.
    fn seconds(&self, snapshot: &Snapshot) -> Option<f64> {
        let passed = snapshot.about.uptime_ms.checked_sub(self.uptime_ms)?;
        #[expect(clippy::cast_precision_loss, reason = "nobody watches for 2^53 ms")]
        (passed > 0 && !self.restarted(snapshot)).then_some(passed as f64 / 1000.0)
    }

    pub(crate) fn totals(&self, snapshot: &Snapshot) -> Traffic {
        let Some(seconds) = self.seconds(snapshot) else { return Traffic::default() };
        traffic(self.totals, (snapshot.totals.received, snapshot.totals.sent), seconds)
    }

    /// Of a connection of `snapshot`. One that was not in the snapshot before has its rates only if it has opened since then.
    pub(crate) fn connection(&self, connection: &Connection, snapshot: &Snapshot) -> Traffic {
        let Some(seconds) = self.seconds(snapshot) else { return Traffic::default() };
        let now = (connection.received, connection.sent);
        match self.connections.get(&connection.id) {
            Some(before) => traffic(*before, now, seconds),
            #[expect(clippy::cast_precision_loss, reason = "milliseconds since a moment ago")]
            None if connection.age_ms as f64 <= seconds * 1000.0 => traffic(Default::default(), now, seconds),
            None => Traffic::default(),
        }
    }

    pub(crate) fn action(&self, action: &Action, snapshot: &Snapshot) -> Handled {
        let key = (action.action.clone(), action.direction.clone());
        let (Some(seconds), Some((handled, failed))) = (self.seconds(snapshot), self.actions.get(&key)) else {
            return Handled::default();
        };
        Handled { handled: per(*handled, action.handled, seconds), failed: per(*failed, action.failed, seconds) }
    }
}

fn traffic(before: (Flow, Flow), now: (Flow, Flow), seconds: f64) -> Traffic {
    let packets = |flow: Flow| flow.packets.saturating_add(flow.calls);
    Traffic {
        received: per(packets(before.0), packets(now.0), seconds),
        sent: per(packets(before.1), packets(now.1), seconds),
        bytes_received: per(before.0.bytes, now.0.bytes, seconds),
        bytes_sent: per(before.1.bytes, now.1.bytes, seconds),
    }
}

/// The rate of a counter. One that went back has none.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn per(before: u64, now: u64, seconds: f64) -> Option<f64> {
    Some(now.checked_sub(before)? as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::fixtures::{connection, snapshot};

    #[test]
    fn a_rate_is_the_difference_by_the_time_of_the_server() {
        let mut before = snapshot(10_000);
        before.connections.push(connection("aa", 100, 5_000));
        before.totals.sent.bytes = 5_000;
        let mut now = snapshot(12_000);
        now.connections.push(connection("aa", 300, 9_000));
        now.totals.sent.bytes = 9_000;
        let rates = Before::new(&before);
        assert_eq!(rates.connection(&now.connections[0], &now).sent, Some(100.0));
        assert_eq!(rates.connection(&now.connections[0], &now).bytes_sent, Some(2_000.0));
        assert_eq!(rates.totals(&now).bytes_sent, Some(2_000.0));
        assert_eq!(rates.totals(&now).bytes(), Some(2_000.0));
    }

    #[test]
    fn nothing_is_compared_with_another_run() {
        let mut before = snapshot(10_000);
        before.connections.push(connection("aa", 100, 0));
        let mut now = snapshot(9_999);
        now.connections.push(connection("aa", 300, 0));
        let rates = Before::new(&before);
        assert!(rates.restarted(&now));
        assert_eq!(rates.connection(&now.connections[0], &now), Traffic::default());
        assert_eq!(rates.totals(&now), Traffic::default());
        // It ran for longer than the one before, but fewer have been there.
        before.totals.accepted = 7;
        let later = snapshot(20_000);
        assert!(Before::new(&before).restarted(&later));
        assert_eq!(Before::new(&before).totals(&later), Traffic::default());
    }

    #[test]
    fn a_counter_that_went_back_has_no_rate() {
        let mut before = snapshot(10_000);
        before.connections.push(connection("aa", 100, 50));
        let mut now = snapshot(11_000);
        now.connections.push(connection("aa", 99, 60));
        let traffic = Before::new(&before).connection(&now.connections[0], &now);
        assert_eq!((traffic.sent, traffic.bytes_sent), (None, Some(10.0)));
    }

    #[test]
    fn a_new_connection_has_rates_only_if_it_opened_since() {
        let rates = Before::new(&snapshot(10_000));
        let now = snapshot(11_000);
        let mut young = connection("aa", 10, 0);
        young.age_ms = 900;
        assert_eq!(rates.connection(&young, &now).sent, Some(10.0));
        young.age_ms = 5_000;
        assert_eq!(rates.connection(&young, &now).sent, None);
    }

    #[test]
    fn the_same_moment_twice_has_no_rates() {
        let rates = Before::new(&snapshot(10_000));
        assert_eq!(rates.totals(&snapshot(10_000)), Traffic::default());
    }
}
