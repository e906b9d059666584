//! Looking into clients.

#[cfg(feature = "console")]
mod operated;

use std::sync::Arc;

use pnet_protocol::protocol::{Phase, ProtocolInfo, Role};

use super::{About, Inspect, Inspected, Inspector, Snapshot, Totals, sealed::Sealed};
use crate::{
    calls::line::Line,
    client::{Client, Way},
    connection::{Conn, traffic::traffic},
};

/// A client, without keeping its connection open.
pub(crate) enum Watched {
    /// One connection.
    Conn(Arc<Conn>),
    /// One after the other, which count together.
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
        let watched = match &self.way {
            Way::Conn(conn) => Watched::Conn(Arc::clone(conn)),
            Way::Line(line) => Watched::Line(Arc::clone(line)),
        };
        Inspector::new(Arc::new(watched))
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

    #[cfg(feature = "console")]
    fn operated(&self) -> &dyn super::operated::Operated {
        self
    }

    fn snapshot(&self) -> Snapshot {
        let conn = self.conn();
        let counts = conn.trace.counts();
        let about = About {
            addr: conn.addr.to_string(),
            key: counts.key().map(ToString::to_string),
            draining: conn.lock().is_ending(),
            ..About::new(Role::Client, conn.info, counts.age())
        };
        let traffic = traffic(counts, std::slice::from_ref(&conn));
        let totals = Totals {
            accepted: counts.joins(),
            connections: u64::from(conn.gone().is_none()),
            received: traffic.received,
            sent: traffic.sent,
            ..Totals::default()
        };
        Snapshot {
            about,
            totals,
            actions: counts.actions(conn.info, Role::Client),
            limits: counts.limits(|_| None),
            closes: counts.closes(),
            ..Snapshot::default()
        }
    }
}
