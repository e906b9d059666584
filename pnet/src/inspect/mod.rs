//! What a running server or client is doing, without its types: a snapshot that may be looked at, kept, or sent elsewhere.
//!
//! [`Inspect`] is what can be looked into, [`Inspector`] the handle that looks, [`Snapshot`] what it sees. What there is to
//! see is kept by those whom it concerns: by a connection what it has carried, by a server the rest.
//!
//! Every call and packet is counted, and of one call in 64, drawn at random, the duration is kept. That costs a call at most 5 % more
//! instructions, and a connection at most 144 bytes. There are no tokens, credentials or payloads in a snapshot, and nothing about
//! users but what [`person`](crate::ServerBuilder::person) says. `docs/guide/inspect.md` says what each number means.
//!
//! # Examples
//!
//! ```
//! # use pnet::{Packet, protocol, actions, action};
//! # use serde::{Serialize, Deserialize};
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Told { n: u8 }
//! # protocol! { pub Quiz { client { Ask -> Told } } }
//! # #[action("ASK")] fn ask(p: Ask) -> Told { Told { n: p.n } }
//! # actions! { pub server QuizServer for Quiz: ask }
//! # actions! { pub client Ui for Quiz: }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use pnet::inspect::Inspect;
//!
//! let server = pnet::memory::serve(QuizServer, ());
//! let quiz = server.connect(Ui, ()).await?;
//! quiz.call(Ask { n: 1 }).await?;
//!
//! let seen = server.inspector().snapshot();
//! assert_eq!((seen.about.protocol.as_str(), seen.totals.connections), ("Quiz", 1));
//! assert_eq!((seen.actions[0].action.as_str(), seen.actions[0].handled), ("ASK", 1));
//! assert_eq!(seen.connections[0].id, quiz.id().to_string());
//! # Ok(()) }
//! ```

mod client;
#[cfg(feature = "console")]
pub(crate) mod operated;
mod server;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet_protocol::{
    dialect::Dialect,
    document,
    handshake::ShapePolicy,
    json::Form,
    protocol::{ProtocolInfo, Role},
};

pub use crate::counts::snapshot::{About, Action, Closes, Connection, Flow, Limit, Snapshot, Totals};
use crate::{
    connection::{Conn, QUEUE_PACKETS},
    driver::limits::millis,
};

/// What can be looked into: a [`Server`](crate::Server) or its [`ServerHandle`](crate::ServerHandle), a
/// [`MemoryServer`](crate::memory::MemoryServer), a [`Client`](crate::Client).
pub trait Inspect: sealed::Sealed {
    /// A handle that looks into it. It keeps nothing open.
    fn inspector(&self) -> Inspector;
}

pub(crate) mod sealed {
    /// Keeps [`Inspect`](super::Inspect) to what this crate can look into.
    #[expect(unnameable_types, reason = "that is its purpose")]
    pub trait Sealed {}
}

/// Looks into a server or client. Cheap to clone; holding one keeps nothing open.
#[derive(Clone)]
pub struct Inspector {
    target: Arc<dyn Inspected>,
}

/// A server or client as its inspector sees it.
pub(crate) trait Inspected: Send + Sync + 'static {
    fn role(&self) -> Role;
    fn info(&self) -> &'static ProtocolInfo;
    /// The connections there are, in the order in which they were let in.
    fn conns(&self) -> Vec<Arc<Conn>>;
    /// All but the connections.
    fn snapshot(&self) -> Snapshot;
    /// The same for whoever acts.
    #[cfg(feature = "console")]
    fn operated(&self) -> &dyn operated::Operated;
}

impl Inspector {
    pub(crate) fn new(target: Arc<dyn Inspected>) -> Self {
        Self { target }
    }

    #[cfg(feature = "console")]
    pub(crate) fn target(&self) -> &dyn Inspected {
        &*self.target
    }

    /// The protocol that is spoken, as a JSON text: see [`Protocol::schema`](crate::Protocol::schema).
    #[must_use]
    pub fn schema(&self) -> &'static str {
        document::shared(self.target.info(), ShapePolicy::Shapes)
    }

    /// What it is doing now. It stops nobody for longer than a send does, and waits for nobody. It takes longer the more
    /// connections there are.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let connections: Vec<_> = self.target.conns().iter().map(|conn| Connection::of(conn)).collect();
        let snapshot = self.target.snapshot();
        let totals = Totals {
            in_flight: connections.iter().map(|connection| connection.in_flight).sum(),
            queued: connections.iter().map(|connection| connection.queue_packets).sum(),
            ..snapshot.totals
        };
        Snapshot { connections, totals, ..snapshot }
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("role", &self.target.role())
            .field("protocol", &self.target.info().name)
            .finish_non_exhaustive()
    }
}

impl About {
    /// What is the same for both sides.
    pub(crate) fn new(role: Role, info: &ProtocolInfo, age: Duration) -> Self {
        Self {
            role: match role {
                Role::Server => "server",
                _ => "client",
            }
            .to_owned(),
            protocol: info.name.to_owned(),
            fingerprint: format!("{:016x}", info.fingerprint),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: millis(age),
            at_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            ..Self::default()
        }
    }
}

impl Connection {
    pub(crate) fn of(conn: &Conn) -> Self {
        let seen = conn.lock().seen();
        let (counters, trace) = (&conn.counters, &conn.trace);
        let form = match (conn.dialect, seen.form) {
            (Dialect::Native, _) => "native",
            (_, Some(Form::Old)) => "old",
            _ => "json",
        };
        Self {
            id: conn.id.to_string(),
            addr: conn.addr.to_string(),
            form: form.to_owned(),
            tls: trace.is_encrypted(),
            key: conn.key.as_ref().map(ToString::to_string),
            person: trace.person().map(str::to_owned),
            age_ms: conn.since.elapsed().map_or(0, millis),
            idle_ms: millis(seen.load.heard.elapsed()),
            rtt_us: seen.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            received: Flow {
                packets: counters.packets_received.get(),
                calls: counters.calls_received.get(),
                bytes: counters.bytes_received.get(),
            },
            sent: Flow { packets: seen.sent.packets, calls: seen.sent.calls, bytes: counters.bytes_written.get() },
            queue_packets: seen.packets as u64,
            queue_bytes: seen.bytes as u64,
            queue_limit: QUEUE_PACKETS as u64,
            in_flight: seen.load.in_flight.into(),
            awaited: seen.awaited as u64,
            suspended: seen.suspended,
        }
    }
}
