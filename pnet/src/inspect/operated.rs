//! What may be done to what is looked into: the part of its operators' acts that only it can do.

use std::{pin::Pin, sync::Arc, time::Duration};

use crate::{
    connection::{Conn, registry::HubCore},
    error::Closed,
    server::{Shutdown, detaching::NotDriven},
};

/// A server or client as its operator sees it.
pub(crate) trait Operated: Send + Sync {
    /// The connections that a broadcast goes to; `None` of a client.
    fn hub(&self) -> Option<Arc<HubCore>>;

    /// Lets what was accepted finish, and closes. It goes on to its end even if the future is dropped.
    fn drain(&self, grace: Duration) -> Draining<'_>;

    /// Ends it now.
    fn stop(&self);

    /// How long a handler may take that is run without a peer.
    fn call_timeout(&self) -> Option<Duration>;

    /// Runs what was injected into a [detached](Conn::detached) connection.
    fn drive(&self, conn: &Arc<Conn>) -> Result<(), NotDriven>;
}

/// The wait for the end of a drain.
pub(crate) type Draining<'a> = Pin<Box<dyn Future<Output = Drained> + Send + 'a>>;

/// How a drain ended.
#[derive(Debug)]
pub(crate) enum Drained {
    /// What the shutdown has done with the server's connections.
    Server(Shutdown),
    /// Why the client's connection is gone: what it was asked for, or what came before it.
    Client(Arc<Closed>),
}
