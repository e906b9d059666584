//! What an operator does to a client.

use std::{sync::Arc, time::Duration};

use pnet_protocol::close::CloseCode;

use super::{
    super::operated::{Drained, Draining, Operated},
    Watched,
};
use crate::{
    config,
    connection::{Conn, registry::HubCore},
    error::{Closed, ClosedBy},
    server::detaching::NotDriven,
};

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
