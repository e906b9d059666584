//! Looking into servers.

use std::{sync::Arc, time::Instant};

use pnet_protocol::protocol::{Phase, Protocol, ProtocolInfo, Role};

use super::{Core, Server, ServerHandle};
use crate::{
    connection::Conn,
    hub::HubCore,
    inspect::{About, Inspect, Inspected, Inspector, Snapshot, Totals, millis, sealed::Sealed},
    memory::MemoryServer,
};

/// What a server keeps so that it can be looked into.
#[derive(Debug)]
pub(super) struct Observed {
    /// Where it listens.
    pub(super) addr: String,
    pub(super) since: Instant,
}

pub(super) struct Target {
    pub(super) core: Arc<Core>,
    pub(super) hub: Arc<HubCore>,
    info: &'static ProtocolInfo,
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
    fn operated(&self) -> &dyn crate::operate::Operated {
        self
    }

    fn snapshot(&self) -> Snapshot {
        let observed = self.core.observed.get();
        let about = About {
            role: "server".to_owned(),
            protocol: self.info.name.to_owned(),
            fingerprint: format!("{:016x}", self.info.fingerprint),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            addr: observed.map_or_else(String::new, |observed| observed.addr.clone()),
            key: self.core.acceptor.get().and_then(|acceptor| acceptor.fingerprint()).map(|key| key.to_string()),
            uptime_ms: observed.map_or(0, |observed| millis(observed.since.elapsed())),
            draining: self.core.stop.is_cancelled(),
            ..About::default()
        };
        let totals = Totals {
            connections: self.conns().len() as u64,
            memory: self.core.budget.as_ref().map_or(0, |budget| budget.used() as u64),
            ..Totals::default()
        };
        Snapshot { about, totals, ..Snapshot::default() }
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
