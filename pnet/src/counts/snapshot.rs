//! What a snapshot says: plain data, the same in a program, in JSON, and at an attached console.

use serde::{Deserialize, Serialize};

/// A server or client as it was at one moment: see [`Inspector::snapshot`](crate::inspect::Inspector::snapshot).
///
/// Each number is right by itself. They are read one after the other while everything goes on, so that all of them belong to
/// the very same moment is not promised.
///
/// Texts that come from peers (addresses of a [`Listener`](crate::transport::Listener) of your own, what
/// [`person`](crate::ServerBuilder::person) made) are as they came. Whoever prints them has to escape them; the console does.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Snapshot {
    /// What it is.
    pub about: About,
    /// All that went over its connections, those included that have ended.
    pub totals: Totals,
    /// The connections there are, in the order in which they were let in. A client has one, or none.
    pub connections: Vec<Connection>,
    /// What may be said in either direction, and how often it was.
    pub actions: Vec<Action>,
    /// The limits, and how often each was met.
    pub limits: Vec<Limit>,
    /// The connections that have ended, by the code and the side that ended them, and those that were refused before they were
    /// opened, as far as there is a code for it.
    pub closes: Vec<Closes>,
}

/// What a server or client is.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct About {
    /// `server` or `client`.
    pub role: String,
    /// The protocol's name.
    pub protocol: String,
    /// The hash of the protocol, in hexadecimal: equal at both ends if both were built from the same one.
    pub fingerprint: String,
    /// The version of pnet.
    pub version: String,
    /// Where it listens, or whom it is connected to.
    pub addr: String,
    /// The key by which others know it, if it speaks TLS: `SHA256:…`.
    pub key: Option<String>,
    /// For how long it has been there, in milliseconds.
    pub uptime_ms: u64,
    /// When the snapshot was made: milliseconds since 1970-01-01 00:00 UTC, by the machine's clock.
    pub at_ms: u64,
    /// Whether it is shutting down.
    pub draining: bool,
}

/// Sums over all connections, those included that have ended.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Totals {
    /// Connections that were let in, in all; of a client, those that came about.
    pub accepted: u64,
    /// Connections there are now.
    pub connections: u64,
    /// What has come.
    pub received: Flow,
    /// What has gone.
    pub sent: Flow,
    /// Calls and packets that are being handled now, or wait for that.
    pub in_flight: u64,
    /// Packets and calls that wait to be written.
    pub queued: u64,
    /// Bytes that are held for the connections; see [`ServerHandle::memory_used`](crate::ServerHandle::memory_used).
    pub memory: u64,
}

/// What went in one direction.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing else to count")]
pub struct Flow {
    /// Packets that have no answer.
    pub packets: u64,
    /// Calls; answers are not counted.
    pub calls: u64,
    /// Bytes that the transport took or brought.
    pub bytes: u64,
}

/// One connection.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Connection {
    /// Its public id.
    pub id: String,
    /// Who is there.
    pub addr: String,
    /// How packets look on it: `native`, `json`; `old` for JSON peers of the Python library's form.
    pub form: String,
    /// Whether it is encrypted.
    pub tls: bool,
    /// The key that the other end has proved to hold.
    pub key: Option<String>,
    /// Who that is, as the program says by [`person`](crate::ServerBuilder::person).
    pub person: Option<String>,
    /// For how long it has been open, in milliseconds.
    pub age_ms: u64,
    /// For how long nothing has come, in milliseconds.
    pub idle_ms: u64,
    /// The last round trip that was measured, in microseconds.
    pub rtt_us: Option<u64>,
    /// What has come.
    pub received: Flow,
    /// What has gone.
    pub sent: Flow,
    /// Packets and calls of this side that wait for credit or for room.
    pub queue_packets: u64,
    /// Bytes that wait to be written.
    pub queue_bytes: u64,
    /// Packets of this side that may wait.
    pub queue_limit: u64,
    /// Calls and one-way packets of the other side that are being handled, or wait for that.
    pub in_flight: u64,
    /// Calls of this side that wait for their answers.
    pub awaited: u64,
    /// Whether delivery is suspended: see [`Peer::suspend`](crate::Peer::suspend).
    pub suspended: bool,
}

/// One action in one direction.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Action {
    /// Its name.
    pub action: String,
    /// `in` if the other side sends it, `out` if this side does.
    pub direction: String,
    /// The packet's type.
    pub packet: String,
    /// What answers it, by its type: `Sum`, `Sum or Denied`, `stream Tick`, `()`; `None` if nothing does.
    pub reply: Option<String>,
    /// How often it has arrived; of one that this side sends, how often it was written, for each connection that gets it, or has
    /// failed before it could be.
    pub handled: u64,
    /// How often its handler failed or panicked, or the packet was malformed or refused; of a call of this side, how often it had no
    /// answer as declared: a failure, none in time, or none that could still come. Those are among `handled`, too. Declared errors
    /// are answers.
    pub failed: u64,
    /// How many durations were measured: of one in 64, on the average. Of what this side sends and nobody answers there are none.
    pub samples: u64,
    /// The duration that half of the sampled ones did not exceed, in microseconds; exact to an eighth. `None` before the first.
    pub p50_us: Option<f64>,
    /// The same for 99 in 100.
    pub p99_us: Option<f64>,
}

/// A limit.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Limit {
    /// Its name, as in the settings where it is one: `max_connections`.
    pub name: String,
    /// How much is allowed. 0 of a client's `heartbeat`: what the server says.
    pub allowed: u64,
    /// Of what: `bytes`, `calls`, `ms` …
    pub unit: String,
    /// How much is used now, where that is one number.
    pub used: Option<u64>,
    /// How often it was met: somebody had to wait, was refused, or had to go.
    pub met: u64,
}

/// Connections that ended in the same way.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Closes {
    /// The close code's word: `normal`, `timeout` …
    pub code: String,
    /// Who ended it: `here`, `peer` or `transport`.
    pub by: String,
    /// How many.
    pub count: u64,
}
