//! What sends.

use std::{fmt, sync::Arc, time::Duration};

use pnet_protocol::{close::CloseCode, id::ConnectionId, key::Fingerprint, protocol::ActionInfo};

use super::action::{Action, Direction};
use crate::{
    calls::{call::Sending, json::Json, line::Route, untyped::JsonStreaming},
    config,
    connection::Conn,
    error::{CallError, Closed, ClosedBy, JsonError},
    transport::PeerAddr,
};

/// The client's end of a connection whose protocol is known at run time: sends what the schema says that clients send.
///
/// Cheap to clone. When the last clone is dropped, what was accepted is finished and the connection closes; to be sure
/// that it has been written before the program ends, await [`close`](Self::close).
pub struct Client {
    conn: Arc<Conn>,
    schema: Arc<str>,
}

impl Client {
    /// The first client of a connection, which was counted when it was opened.
    pub(super) const fn opened(conn: Arc<Conn>, schema: Arc<str>) -> Self {
        Self { conn, schema }
    }

    /// The schema, as the server has told it or as it was given.
    #[must_use]
    pub fn schema(&self) -> Arc<str> {
        Arc::clone(&self.schema)
    }

    /// The name of the protocol.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.conn.info.name
    }

    /// What clients show to be let in, as the protocol names it; `None` if nothing.
    #[must_use]
    pub fn credentials(&self) -> Option<&str> {
        self.conn.info.credentials
    }

    /// What is sent in a direction, sorted by name.
    pub fn actions(&self, direction: Direction) -> impl Iterator<Item = Action> + use<> {
        self.infos(direction).iter().map(Action::new)
    }

    /// The action of this name.
    #[must_use]
    pub fn action(&self, direction: Direction, name: &str) -> Option<Action> {
        self.actions(direction).find(|action| action.action() == name)
    }

    fn infos(&self, direction: Direction) -> &'static [ActionInfo] {
        match direction {
            Direction::ToServer => self.conn.info.client.actions,
            Direction::ToClient => self.conn.info.server.actions,
        }
    }

    /// Sends a packet that has no answer. Waits while the connection's queue is full.
    ///
    /// # Errors
    ///
    /// [`SendError::Json`](crate::SendError::Json) if the protocol has no such packet or its data does not fit; else as
    /// [`Client::send`](crate::Client::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the packet is not sent.
    pub fn send(&self, packet: &Json) -> Sending {
        packet.sending(Arc::clone(&self.conn), Route::Fixed)
    }

    /// Sends a packet and waits for the server's answer. To `-> ()` that is `pnet.done`.
    ///
    /// # Errors
    ///
    /// [`CallError::Json`](crate::CallError::Json) if the protocol has no such call, its data does not fit, or the answer
    /// cannot be read; else as [`Client::call`](crate::Client::call). A declared error is
    /// [`CallError::Declared`](crate::CallError::Declared).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call.
    pub async fn call(&self, packet: Json) -> Result<Json, CallError<Json>> {
        packet.calling(Arc::clone(&self.conn), Route::Fixed).await
    }

    /// Opens a stream. What is wrong with the packet is the first item: see [`JsonStreaming`].
    pub fn stream(&self, packet: &Json) -> JsonStreaming {
        packet.streaming(Arc::clone(&self.conn), Route::Fixed)
    }

    /// Sees whether a packet could be sent, called or opened as a stream: whether the protocol declares its action for clients, and its data fits.
    ///
    /// # Errors
    ///
    /// What sending it would say.
    pub fn check(&self, packet: &Json) -> Result<(), JsonError> {
        packet.check(self.conn.info, self.conn.outgoing(), self.conn.dialect)
    }

    /// The connection's public id, as the server knows it; towards a server that names no connections, one of this side's own.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.conn.id
    }

    /// Where the server is.
    #[must_use]
    pub fn addr(&self) -> &PeerAddr {
        &self.conn.addr
    }

    /// The key that the server has proved to hold, by TLS. `None` in plain text.
    #[must_use]
    pub fn key(&self) -> Option<Fingerprint> {
        self.conn.key.as_deref().copied()
    }

    /// The last round trip that was measured; `None` before the first.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.conn.out().pings.rtt()
    }

    /// Sends a ping now and measures the time until its answer comes. A server that was not made with pnet is sent none, and the
    /// wait ends with the connection.
    ///
    /// # Errors
    ///
    /// Why the connection ended, if it ends first.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn ping(&self) -> Result<Duration, Arc<Closed>> {
        self.conn.ping().await
    }

    /// Closes the connection, as [`Client::close`](crate::Client::close).
    ///
    /// # Cancel safety
    ///
    /// The connection closes even if the future is dropped.
    pub async fn close(&self) -> Arc<Closed> {
        let closed = Closed::new(CloseCode::Normal, "", ClosedBy::Here);
        self.conn.request_drain(closed, config::after(config::GRACE));
        self.conn.written().await
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.conn.gone().is_some()
    }

    /// Waits until the connection is gone, and says why.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn closed(&self) -> Arc<Closed> {
        self.conn.closed().await
    }
}

impl Clone for Client {
    fn clone(&self) -> Self {
        self.conn.add_client();
        Self { conn: Arc::clone(&self.conn), schema: Arc::clone(&self.schema) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.conn.drop_client();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.conn.id).field("server", &self.conn.addr).finish_non_exhaustive()
    }
}
