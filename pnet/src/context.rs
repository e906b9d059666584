//! What one run of a handler knows: the service's state, the connection's own state, the handles, the packet's metadata.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use pnet_protocol::{
    key::Fingerprint,
    packet::Codec,
    protocol::{ClientSide, Phase, ServerSide},
};
use tokio::time::Instant;

use crate::{
    authenticate::User,
    client::Client,
    connection::{Conn, lanes::Pool},
    hub::{Hub, HubCore},
    peer::Peer,
    service::Service,
    stream::StreamId,
};

/// The surroundings of one handler run. Extractors read from it; handlers take its parts as arguments.
pub struct Cx<S: Service> {
    link: Arc<Link<S>>,
    meta: Meta,
}

/// What is known about a packet beside its data. A handler may take it by value or as `&Meta`.
#[derive(Clone, Debug)]
pub struct Meta {
    pub(crate) action: &'static str,
    pub(crate) created: Option<SystemTime>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) call: bool,
    /// The stream that the handler produces.
    pub(crate) stream: Option<StreamId>,
    /// Filled in where a handler or an inbox's reader sees it.
    pub(crate) key: Option<Arc<Fingerprint>>,
}

/// One connection of a service, as its handlers see it.
pub(crate) struct Link<S: Service> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) conn: Arc<Conn>,
    /// Who is there, if the service has a handler that finds out.
    pub(crate) user: Option<Box<User>>,
    pub(crate) member: OnceLock<S::Member>,
}

/// What all connections of one server (or the one of a client) share.
pub(crate) struct Shared<S: Service> {
    pub(crate) state: Arc<S::State>,
    pub(crate) hub: Arc<HubCore>,
    pub(crate) pool: Pool<S>,
}

impl<S: Service> Cx<S> {
    pub(crate) fn new(link: Arc<Link<S>>, meta: Meta) -> Self {
        let key = link.conn.key.clone();
        Self { link, meta: Meta { key, ..meta } }
    }

    /// Another packet of the same connection, whose key stays.
    #[inline]
    pub(crate) const fn set_meta(&mut self, meta: &Meta) {
        let Meta { action, created, deadline, call, stream, key: _ } = *meta;
        (self.meta.action, self.meta.created, self.meta.deadline) = (action, created, deadline);
        (self.meta.call, self.meta.stream) = (call, stream);
    }

    pub(crate) const fn link(&self) -> &Arc<Link<S>> {
        &self.link
    }

    /// The service's state.
    #[must_use]
    pub fn state(&self) -> &S::State {
        &self.link.shared.state
    }

    /// The service's state, to be kept by a task.
    #[must_use]
    pub fn state_arc(&self) -> Arc<S::State> {
        Arc::clone(&self.link.shared.state)
    }

    /// The connection's own state, made by the connect handler.
    ///
    /// # Panics
    ///
    /// In an extractor that runs *for* the connect handler, before that state exists.
    #[must_use]
    pub fn member(&self) -> &S::Member {
        #[cfg(feature = "console")]
        if self.link.member.get().is_none() {
            self.link.conn.needs_peer();
        }
        self.link
            .member
            .get()
            .expect("the connect handler has made the connection's state before anything is dispatched")
    }

    /// Who is there: what the handler under `#[action(authenticate)]` has made. `None` if the service has no such handler, or
    /// one that makes something else than a `T`.
    ///
    /// Handlers take it as `&T`, which the compiler checks; this is for [`Extract`](crate::Extract).
    #[must_use]
    pub fn user<T: Any>(&self) -> Option<&T> {
        #[cfg(feature = "console")]
        if self.link.user.is_none() && S::AUTHENTICATE.is_some() {
            self.link.conn.needs_peer();
        }
        self.link.user.as_ref()?.get()
    }

    /// The packet's metadata.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The codec that replaces the packets' own: `None` where frames are native.
    #[must_use]
    pub fn codec_override(&self) -> Option<Codec> {
        self.link.conn.dialect.codec_override()
    }

    /// The other end of this connection, on a server.
    #[must_use]
    pub fn peer<Ph>(&self) -> Peer<Ph>
    where
        S: Service<Side = ServerSide>,
        Ph: Phase<Protocol = S::Protocol>,
    {
        #[cfg(feature = "console")]
        self.link.conn.needs_peer();
        Peer::new(Arc::clone(&self.link.conn))
    }

    /// Every connection of this server.
    #[must_use]
    pub fn hub<Ph>(&self) -> Hub<Ph>
    where
        S: Service<Side = ServerSide>,
        Ph: Phase<Protocol = S::Protocol>,
    {
        Hub::from_core(Arc::clone(&self.link.shared.hub))
    }

    /// The client this handler belongs to.
    #[must_use]
    pub fn client<Ph>(&self) -> Client<Ph>
    where
        S: Service<Side = ClientSide>,
        Ph: Phase<Protocol = S::Protocol>,
    {
        Client::new(Arc::clone(&self.link.conn))
    }
}

impl<S: Service> Clone for Cx<S> {
    fn clone(&self) -> Self {
        Self { link: Arc::clone(&self.link), meta: self.meta.clone() }
    }
}

impl<S: Service> fmt::Debug for Cx<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("meta", &self.meta).finish_non_exhaustive()
    }
}

impl Meta {
    /// The metadata of connect and disconnect handlers, which have no packet.
    pub(crate) const fn none() -> Self {
        Self { action: "", created: None, deadline: None, call: false, stream: None, key: None }
    }

    /// The packet's action; empty in connect and disconnect handlers.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        self.action
    }

    /// When the sender wrote the packet, by its own clock; packets written together share one time. It is information
    /// from the peer and proves nothing.
    #[must_use]
    pub const fn created(&self) -> Option<SystemTime> {
        self.created
    }

    /// When the caller stops waiting, by this side's clock; `None` for a packet that is not a call, and for a call
    /// without a timeout.
    ///
    /// Calls and streams that the handler opens while it runs, on this connection or any other, end by then, too: they
    /// inherit what is left. Those of a task that the handler spawns do not; such a task may ask for
    /// [`remaining`](Self::remaining).
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long the caller still waits: what is left until the [`deadline`](Self::deadline), zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The key that the sender has proved to hold: see [`Peer::key`](crate::Peer::key).
    #[must_use]
    pub fn key(&self) -> Option<&Fingerprint> {
        self.key.as_deref()
    }

    /// Whether the sender waits for an answer.
    #[must_use]
    pub const fn is_call(&self) -> bool {
        self.call
    }
}
