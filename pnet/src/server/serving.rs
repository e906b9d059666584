//! A server as its own tasks see it, whatever its service.

use std::{
    future::ready,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use pnet_protocol::{
    protocol::{Protocol, ProtocolInfo},
    secret::SecretBytes,
};
use tokio::{sync::Semaphore, time::Instant};

use super::{Core, config::ServerConfig, penalties::Penalties};
use crate::{
    connection::{Conn, half_open::Waiting},
    driver::dispatch::Dispatch,
    error::Refused,
    service::{
        Arrival, Authenticating, FirstCx, Service, User,
        context::{Link, Shared},
        served::Served,
    },
    transport::tls::Acceptor,
};

/// A server as its own tasks see it, whatever its service.
pub(super) struct Serving {
    pub(super) info: &'static ProtocolInfo,
    pub(super) service: Box<dyn Serve>,
    pub(super) config: ServerConfig,

    pub(super) acceptor: Arc<Acceptor>,
    pub(super) authentication: Authentication,
    pub(super) core: Arc<Core>,
}

/// What a server runs on its connections.
pub(super) trait Serve: Send + Sync {
    /// What one connection's packets and calls become.
    fn dispatch(&self, conn: Arc<Conn>, user: Option<User>, places: usize) -> Box<dyn Dispatch>;

    /// Whether it has a handler that finds out who a client is.
    fn authenticates(&self) -> bool;

    /// Runs that handler.
    fn authenticate(&self, arrival: Arrival, credentials: SecretBytes) -> Authenticating;
}

impl<S: Service> Serve for Arc<Shared<S>> {
    fn dispatch(&self, conn: Arc<Conn>, user: Option<User>, places: usize) -> Box<dyn Dispatch> {
        let user = user.map(Box::new);
        let link = Arc::new(Link { shared: Self::clone(self), conn, user, member: OnceLock::new() });
        Box::new(Served::new(link, places))
    }

    fn authenticates(&self) -> bool {
        S::AUTHENTICATE.is_some()
    }

    fn authenticate(&self, arrival: Arrival, credentials: SecretBytes) -> Authenticating {
        match S::AUTHENTICATE {
            Some(authenticate) => authenticate(FirstCx { shared: Self::clone(self), arrival, credentials }),
            None => Box::pin(ready(Err(Refused::new("nobody finds out who a client is")))),
        }
    }
}

/// What the clients of a server share while it is found out who they are.
#[derive(Debug)]
pub(super) struct Authentication {
    pub(super) at_once: Arc<Semaphore>,
    penalties: Mutex<Penalties>,
}

impl Authentication {
    pub(super) fn new(at_once: usize) -> Self {
        let at_once = Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self { at_once, penalties: Mutex::default() }
    }

    pub(super) fn failed(&self, arrival: &Arrival) -> Duration {
        let mut penalties = self.penalties.lock().unwrap_or_else(PoisonError::into_inner);
        penalties.failed(&arrival.addr, Instant::now())
    }
}

impl Serving {
    pub(super) fn new<S: Service>(
        shared: Arc<Shared<S>>,
        config: ServerConfig,
        acceptor: Arc<Acceptor>,
        core: Arc<Core>,
    ) -> Arc<Self> {
        let authentication = Authentication::new(config.max_authenticating);
        Arc::new(Self { info: S::Protocol::INFO, service: Box::new(shared), config, acceptor, authentication, core })
    }
}

/// What a client has while it is greeted. It goes through many futures, each of which keeps what it is given.
pub(super) struct Visit<'a> {
    pub(super) place: &'a Waiting,
    pub(super) deadline: Instant,
}
