//! Snapshots for tests.

use pnet::inspect::{Action, Closes, Connection, Limit, Snapshot};

/// A snapshot without connections.
pub(crate) fn snapshot(uptime_ms: u64) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let about = &mut snapshot.about;
    about.role = "server".to_owned();
    about.protocol = "Server".to_owned();
    about.version = "0.9".to_owned();
    about.fingerprint = "f1".to_owned();
    about.uptime_ms = uptime_ms;
    about.at_ms = 1_700_000_000_000 + uptime_ms;
    snapshot
}

/// A connection that has sent so many packets and bytes.
pub(crate) fn connection(id: &str, sent: u64, bytes: u64) -> Connection {
    let mut connection = Connection::default();
    connection.id = id.to_owned();
    connection.addr = "10.0.0.1:5000".to_owned();
    connection.form = "native".to_owned();
    connection.age_ms = 60_000;
    connection.queue_limit = 1024;
    connection.sent.packets = sent;
    connection.sent.bytes = bytes;
    connection
}

/// An action that was handled so often.
pub(crate) fn action(name: &str, direction: &str, handled: u64, failed: u64) -> Action {
    let mut action = Action::default();
    action.action = name.to_owned();
    action.direction = direction.to_owned();
    action.packet = "Say".to_owned();
    action.reply = Some("Said".to_owned());
    (action.handled, action.failed) = (handled, failed);
    action
}

/// A limit that was met so often.
pub(crate) fn limit(name: &str, allowed: u64, used: Option<u64>, met: u64) -> Limit {
    let mut limit = Limit::default();
    limit.name = name.to_owned();
    limit.unit = "calls".to_owned();
    (limit.allowed, limit.used, limit.met) = (allowed, used, met);
    limit
}

/// So many connections that ended in this way.
pub(crate) fn closes(code: &str, by: &str, count: u64) -> Closes {
    let mut closes = Closes::default();
    (closes.code, closes.by, closes.count) = (code.to_owned(), by.to_owned(), count);
    closes
}
