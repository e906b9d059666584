//! What may be done to what is looked into: the part of its operators' acts that only it can do.

use std::{pin::Pin, sync::Arc, time::Duration};

use pnet_protocol::close::CloseCode;

use super::{client::Watched, server::Target};
use crate::{
    config,
    connection::{Conn, registry::HubCore},
    error::{Closed, ClosedBy},
    server::{
        Shutdown,
        detaching::NotDriven,
        ending::{Ending, Plan},
    },
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

impl Operated for Target {
    fn hub(&self) -> Option<Arc<HubCore>> {
        Some(Arc::clone(&self.hub))
    }

    fn drain(&self, grace: Duration) -> Draining<'_> {
        let end = Ending::begin_or_hurry(&self.core, Plan::within(grace));
        Box::pin(async { Drained::Server(end.wait().await) })
    }

    fn stop(&self) {
        drop(Ending::begin_or_hurry(&self.core, Plan::now()));
    }

    fn call_timeout(&self) -> Option<Duration> {
        self.core.detaching.get().and_then(|detaching| detaching.call_timeout)
    }

    fn drive(&self, conn: &Arc<Conn>) -> Result<(), NotDriven> {
        self.core.drive(conn)
    }
}

impl Operated for Watched {
    fn hub(&self) -> Option<Arc<HubCore>> {
        None
    }

    fn drain(&self, grace: Duration) -> Draining<'_> {
        let deadline = config::after(grace);
        match self {
            Self::Conn(conn) => {
                conn.request_drain(by_operator(), deadline);
                Box::pin(async { Drained::Client(conn.written().await) })
            }
            Self::Line(line) => {
                // Of the two ends that are asked for, what is sooner counts.
                line.conn().request_drain(by_operator(), deadline);
                line.request_close();
                Box::pin(async { Drained::Client(line.closed().await) })
            }
        }
    }

    fn call_timeout(&self) -> Option<Duration> {
        None
    }

    /// A client's handlers have the client's connection, and no other.
    fn drive(&self, _: &Arc<Conn>) -> Result<(), NotDriven> {
        Err(NotDriven::Dropped)
    }

    fn stop(&self) {
        match self {
            Self::Conn(conn) => conn.request_close(by_operator()),
            Self::Line(line) => {
                line.conn().request_close(by_operator());
                line.request_close();
            }
        }
    }
}

/// The words for the other side: as if the program had closed.
fn by_operator() -> Closed {
    Closed::new(CloseCode::Normal, "", ClosedBy::Here)
}
