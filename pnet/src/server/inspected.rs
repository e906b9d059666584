//! Looking into servers.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use pnet_protocol::protocol::{Phase, Protocol, ProtocolInfo, Role};
use tokio::sync::Semaphore;

use super::{Core, Server, ServerBuilder, ServerConfig, ServerHandle, accept::Serving, penalties};
use crate::{
    authenticate::User,
    config,
    connection::Conn,
    counts::{Counts, Met},
    hub::HubCore,
    inspect::{About, Inspect, Inspected, Inspector, Snapshot, Totals, millis, of_connections, sealed::Sealed},
    memory::MemoryServer,
    service::Service,
};

/// What a server keeps so that it can be looked into.
#[derive(Debug)]
pub(super) struct Observed {
    /// Where it listens.
    addr: String,
    /// How many runs of the handler that authenticates there may be, and a place for each.
    runs: (usize, Arc<Semaphore>),
}

impl Observed {
    pub(super) fn new(addr: &impl fmt::Debug, serving: &Serving) -> Self {
        let at_once = &serving.authentication.at_once;
        Self { addr: format!("{addr:?}"), runs: (at_once.available_permits(), Arc::clone(at_once)) }
    }
}

/// Makes the text that says who is there.
#[derive(Default)]
pub(super) struct Person(Option<Name>);

type Name = Box<dyn Fn(&User) -> Option<String> + Send + Sync>;

impl Person {
    /// The name, cut where it is too long; `None` if the program says none.
    pub(super) fn name(&self, user: Option<&User>) -> Option<String> {
        let name = self.0.as_ref().zip(user).map(|(name, user)| catch_unwind(AssertUnwindSafe(|| name(user))))?;
        let Ok(name) = name else {
            // What it says may be about the user.
            tracing::error!("the function given to `person` panicked");
            return None;
        };
        name.map(|mut name| {
            if let Some(end) = (0..=PERSON_LEN).rev().find(|end| name.is_char_boundary(*end)) {
                name.truncate(end);
            }
            name
        })
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Person").field(&self.0.is_some()).finish()
    }
}

impl<S: Service> ServerBuilder<S> {
    /// Says by which name a [`Snapshot`] shows who is there: `name` makes it of what the handler under
    /// `#[action(authenticate)]` has made, if that is a `T`. Without this, snapshots say nothing about users.
    ///
    /// It is asked once, when the connection is opened. The text is cut at 64 bytes; after a panic there is none. It goes to
    /// whoever looks into the server, so it should be a name and no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Packet, protocol, actions, action};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
    /// # protocol! { pub Quiz { client { Ask } } }
    /// # #[action("ASK")] fn ask(_: Ask) {}
    /// # actions! { pub server QuizServer for Quiz: ask }
    /// struct Player { name: String }
    ///
    /// let builder = pnet::serve(QuizServer, ()).person(|player: &Player| player.name.clone());
    /// # drop(builder);
    /// ```
    pub fn person<T: Any>(mut self, name: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.config.person = Person(Some(Box::new(move |user| user.get::<T>().map(&name))));
        self
    }
}

/// Where everything is counted that concerns a server.
pub(super) fn counts(config: &ServerConfig, info: &ProtocolInfo) -> Counts {
    let mut allowed = vec![
        (Met::MaxConnections, config.max_connections as u64),
        (Met::MaxMemory, config.max_memory as u64),
        (Met::MaxAuthenticating, config.max_authenticating.clamp(1, Semaphore::MAX_PERMITS) as u64),
        (Met::WaitingSilent, config::HALF_OPEN as u64),
        (Met::WaitingHandshakes, config::HALF_OPEN as u64),
        (Met::WaitingPerAddress, config::HALF_OPEN_PER_ADDRESS as u64),
        (Met::LoginDelay, millis(penalties::LONGEST)),
    ];
    let timeouts = (config.handshake_timeout, config.heartbeat_ms, config.call_timeout);
    allowed.extend(of_connections(&config.limits, timeouts));
    Counts::new(info, Role::Server, allowed, None)
}

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
    fn operated(&self) -> &dyn crate::operate::Operated {
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
        let traffic = counts.traffic(&live);
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

/// Most bytes of a person's name.
const PERSON_LEN: usize = 64;
