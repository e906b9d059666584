//! What a running server or client is doing, without its types: a snapshot that may be looked at, kept, or sent elsewhere.
//!
//! [`Inspect`] is what can be looked into, [`Inspector`] the handle that looks, [`Snapshot`] what it sees. What there is to
//! see is kept by those whom it concerns: by a connection what it has carried, by a server the rest.

mod client;
mod snapshot;

use std::{fmt, sync::Arc};

use pnet_protocol::{
    dialect::Dialect,
    protocol::{ProtocolInfo, Role},
};

pub(crate) use self::client::Watched;
pub use self::snapshot::{About, Action, Closes, Connection, Flow, Limit, Snapshot, Totals};
use crate::connection::Conn;

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
}

impl Inspector {
    pub(crate) fn new(target: Arc<dyn Inspected>) -> Self {
        Self { target }
    }

    /// What it is doing now. It stops nobody for longer than a send does.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let connections = self.target.conns().iter().map(|conn| Connection::of(conn)).collect();
        Snapshot { connections, ..self.target.snapshot() }
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("protocol", &self.target.info().name).finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn of(conn: &Conn) -> Self {
        let info = crate::info::PeerInfo::of(conn);
        let flow = |traffic: crate::info::Traffic| Flow {
            packets: traffic.packets,
            calls: traffic.calls,
            bytes: traffic.bytes,
        };
        let form = match info.dialect {
            Dialect::Json => "json",
            _ => "native",
        };
        Self {
            id: info.id.to_string(),
            addr: info.addr.to_string(),
            form: form.to_owned(),
            key: info.key.map(|key| key.to_string()),
            age_ms: info.since.elapsed().map_or(0, millis),
            rtt_us: info.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            received: flow(info.received),
            sent: flow(info.sent),
            suspended: info.suspended,
            ..Self::default()
        }
    }
}

pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
