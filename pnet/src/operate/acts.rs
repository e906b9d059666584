//! The acts that the program's own handles have, too.

use std::{sync::Arc, time::Duration};

use pnet_protocol::{
    close::CloseCode,
    protocol::{ProtocolInfo, Role},
};

use super::ActError;
use crate::{
    calls::{call::Sending, json::Json, line::Route},
    connection::Conn,
    error::{CallError, Closed, ClosedBy},
    hub::Broadcast,
    inspect::{Inspector, operated::Drained},
};

impl Inspector {
    /// The protocol that is spoken.
    pub(crate) fn info(&self) -> &'static ProtocolInfo {
        self.target().info()
    }

    /// Which side of it this is.
    pub(crate) fn role(&self) -> Role {
        self.target().role()
    }

    /// The connections there are: of a server those that were let in, in that order; of a client the current one.
    pub(crate) fn conns(&self) -> Vec<Arc<Conn>> {
        self.target().conns()
    }

    /// Sends a packet that has no answer. As [`Peer::send_json`](crate::Peer::send_json): it waits while the queue is full.
    pub(crate) fn send(&self, conn: &Arc<Conn>, packet: &Json) -> Sending {
        packet.sending(Arc::clone(conn), Route::Fixed)
    }

    /// Makes a call. As [`Peer::call_json`](crate::Peer::call_json), with the call timeout of the connection.
    pub(crate) async fn call(&self, conn: &Arc<Conn>, packet: Json) -> Result<Json, CallError<Json>> {
        packet.calling(Arc::clone(conn), Route::Fixed).await
    }

    /// Queues a packet for every connection of a server. As [`Hub::broadcast_json`](crate::Hub::broadcast_json).
    pub(crate) fn broadcast(&self, packet: &Json) -> Result<Broadcast, ActError> {
        let hub = self.target().operated().hub().ok_or(ActError::ServersOnly("broadcast"))?;
        hub.broadcast_json(self.info(), packet).map_err(ActError::Json)
    }

    /// Refuses from now on what this server would send to the connection of its own accord: see
    /// [`Peer::suspend`](crate::Peer::suspend).
    pub(crate) fn suspend(&self, conn: &Conn) -> Result<(), ActError> {
        self.set_suspended(conn, true)
    }

    /// Ends what [`suspend`](Self::suspend) began.
    pub(crate) fn resume(&self, conn: &Conn) -> Result<(), ActError> {
        self.set_suspended(conn, false)
    }

    fn set_suspended(&self, conn: &Conn, suspended: bool) -> Result<(), ActError> {
        if self.role() == Role::Client {
            return Err(ActError::ServersOnly(if suspended { "suspend" } else { "resume" }));
        }
        is_there(conn)?;
        conn.set_suspended(suspended);
        Ok(())
    }

    /// Closes the connection now: see [`Peer::close`](crate::Peer::close). A client that reconnects does not come back unless
    /// the code says that it may.
    pub(crate) fn disconnect(&self, conn: &Conn, code: CloseCode, reason: impl Into<String>) -> Result<(), ActError> {
        is_there(conn)?;
        conn.request_close(Closed::new(code, reason.into(), ClosedBy::Here));
        Ok(())
    }

    /// Measures a round trip, and waits for it no longer than this.
    pub(crate) async fn ping(&self, conn: &Conn, within: Duration) -> Result<Duration, ActError> {
        match tokio::time::timeout(within, conn.ping()).await {
            Ok(measured) => measured.map_err(ActError::Gone),
            Err(_) => Err(ActError::TimedOut(within)),
        }
    }

    /// Lets what was accepted finish, and closes: a server as by [`shutdown`](crate::ServerHandle::shutdown), a client as by
    /// [`close`](crate::Client::close). It goes on to its end even if the future is dropped.
    ///
    /// A client that reconnects takes 10 s at most.
    pub(crate) async fn drain(&self, grace: Duration) -> Drained {
        self.target().operated().drain(grace).await
    }

    /// Ends it now: handlers are dropped, and the other side is told, for which there is a second. It does not wait for that.
    pub(crate) fn stop(&self) {
        self.target().operated().stop();
    }
}

fn is_there(conn: &Conn) -> Result<(), ActError> {
    conn.gone().map_or(Ok(()), |closed| Err(ActError::Gone(closed)))
}
