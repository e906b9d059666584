//! Looking into servers.

#[cfg(feature = "console")]
mod operated;

use std::sync::Arc;

use pnet_protocol::protocol::{Phase, Protocol, ProtocolInfo, Role};

use super::{About, Inspect, Inspected, Inspector, Snapshot, Totals, sealed::Sealed};
use crate::{
    connection::{Conn, registry::HubCore, traffic::traffic},
    counts::Met,
    memory::MemoryServer,
    server::{Core, Server, ServerHandle},
};

pub(super) struct Target {
    pub(super) core: Arc<Core>,
    pub(super) hub: Arc<HubCore>,
    info: &'static ProtocolInfo,
}

impl Target {
    /// How much is used now of a limit of the whole server.
    fn used(&self, limit: Met) -> Option<u64> {
        let used = match limit {
            Met::MaxConnections => self.core.live().len(),
            Met::MaxMemory => self.core.budget.as_ref()?.used(),
            Met::MaxAuthenticating => {
                let (allowed, places) = &self.core.observed.get()?.runs;
                allowed.saturating_sub(places.available_permits())
            }
            Met::WaitingSilent => self.core.waiting.len().0,
            Met::WaitingHandshakes => self.core.waiting.len().1,
            _ => return None,
        };
        Some(used as u64)
    }
}

impl Inspected for Target {
    fn role(&self) -> Role {
        Role::Server
    }

    fn info(&self) -> &'static ProtocolInfo {
        self.info
    }

    fn conns(&self) -> Vec<Arc<Conn>> {
        // One that has ended is there until its disconnect handler is done.
        self.hub.conns().into_iter().filter(|conn| conn.gone().is_none()).collect()
    }

    #[cfg(feature = "console")]
    fn operated(&self) -> &dyn super::operated::Operated {
        self
    }

    fn snapshot(&self) -> Snapshot {
        let counts = &self.core.counts;
        let about = About {
            addr: self.core.observed.get().map_or_else(String::new, |observed| observed.addr.clone()),
            key: self.core.acceptor.get().and_then(|acceptor| acceptor.fingerprint()).map(|key| key.to_string()),
            draining: self.core.stop.is_cancelled(),
            ..About::new(Role::Server, self.info, counts.age())
        };
        let live: Vec<_> = self.core.live().values().map(Arc::clone).collect();
        let traffic = traffic(counts, &live);
        let totals = Totals {
            accepted: counts.joins(),
            connections: self.hub.len() as u64,
            received: traffic.received,
            sent: traffic.sent,
            memory: self.core.budget.as_ref().map_or(0, |budget| budget.used() as u64),
            ..Totals::default()
        };
        Snapshot {
            about,
            totals,
            actions: counts.actions(self.info, Role::Server),
            limits: counts.limits(|limit| self.used(limit)),
            closes: counts.closes(),
            ..Snapshot::default()
        }
    }
}

impl<P: Phase> Sealed for ServerHandle<P> {}

impl<P: Phase> Inspect for ServerHandle<P> {
    fn inspector(&self) -> Inspector {
        let info = <P::Protocol as Protocol>::INFO;
        Inspector::new(Arc::new(Target { core: Arc::clone(&self.core), hub: self.hub.core(), info }))
    }
}

impl<P: Phase, A> Sealed for Server<P, A> {}

impl<P: Phase, A> Inspect for Server<P, A> {
    fn inspector(&self) -> Inspector {
        self.handle.inspector()
    }
}

impl<P: Phase> Sealed for MemoryServer<P> {}

impl<P: Phase> Inspect for MemoryServer<P> {
    fn inspector(&self) -> Inspector {
        self.handle().inspector()
    }
}
