//! Looking into clients.

use std::sync::Arc;

use pnet_protocol::protocol::{Phase, ProtocolInfo, Role};

use super::{About, Inspect, Inspected, Inspector, Snapshot, millis, sealed::Sealed};
use crate::{client::Client, connection::Conn, reconnect::Line};

/// A client, without keeping its connection open.
pub(crate) enum Watched {
    /// One connection.
    Conn(Arc<Conn>),
    /// One after the other.
    Line(Arc<Line>),
}

impl Watched {
    fn conn(&self) -> Arc<Conn> {
        match self {
            Self::Conn(conn) => Arc::clone(conn),
            Self::Line(line) => line.conn(),
        }
    }
}

impl<P: Phase> Sealed for Client<P> {}

impl<P: Phase> Inspect for Client<P> {
    fn inspector(&self) -> Inspector {
        Inspector::new(Arc::new(self.watched()))
    }
}

impl Inspected for Watched {
    fn role(&self) -> Role {
        Role::Client
    }

    fn info(&self) -> &'static ProtocolInfo {
        self.conn().info
    }

    fn conns(&self) -> Vec<Arc<Conn>> {
        Some(self.conn()).filter(|conn| conn.gone().is_none()).into_iter().collect()
    }

    fn snapshot(&self) -> Snapshot {
        let conn = self.conn();
        let about = About {
            role: "client".to_owned(),
            protocol: conn.info.name.to_owned(),
            fingerprint: format!("{:016x}", conn.info.fingerprint),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            addr: conn.addr.to_string(),
            uptime_ms: conn.since.elapsed().map_or(0, millis),
            ..About::default()
        };
        Snapshot { about, ..Snapshot::default() }
    }
}
