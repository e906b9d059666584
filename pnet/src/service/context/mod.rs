//! What one run of a handler knows: the service's state, the connection's own state, the handles, the packet's metadata.

pub(crate) mod pool;
pub(crate) mod slot;
mod user;

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

use pnet_protocol::packet::Codec;

use self::pool::Pool;
pub use self::user::User;
use super::Service;
use crate::connection::{Conn, Meta, registry::HubCore};

/// The surroundings of one handler run. Extractors read from it; handlers take its parts as arguments.
pub struct Cx<S: Service> {
    link: Arc<Link<S>>,
    meta: Meta,
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
