//! What an operator may do to a running server or client: the acts behind the console's commands.
//!
//! They stand on the same handle that [looks](crate::inspect), and go the ways that the program's own handles go: what is
//! sent is checked and queued like any packet, what is closed is closed as by a [`Peer`](crate::Peer). One act is the
//! operator's alone: [`trigger`](Inspector::trigger) runs a handler of this side.

mod acts;
mod client;
mod error;
mod nearest;
mod trigger;

use std::{pin::Pin, sync::Arc, time::Duration};

pub(crate) use self::{
    error::{ActError, TriggerError},
    nearest::nearest,
    trigger::{StreamEnd, Triggered},
};
#[cfg(doc)]
use crate::inspect::Inspector;
use crate::{connection::Conn, error::Closed, hub::HubCore, server::Shutdown};

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
    fn drive(&self, conn: &Arc<Conn>) -> Result<(), TriggerError>;
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

#[cfg(test)]
mod tests;
