//! The client's end of a connection, and how it comes about.

mod builder;
mod config;
mod credentials;
mod open;
mod settings;

use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc, time::Duration};

use pnet_protocol::{
    close::CloseCode,
    dialect::Dialect,
    id::ConnectionId,
    key::Fingerprint,
    protocol::{Answered, ClientSends, ClientSide, OneWay, Phase, Streamed},
};
use tokio::sync::watch;

pub use self::{
    builder::{ClientBuilder, InboxBuilder, connect, connect_inbox},
    credentials::{Bare, Fallible, IntoCredentials},
};
pub(crate) use self::{
    config::ClientConfig,
    credentials::Offer,
    open::{Dialed, open, open_asking},
    settings::connection_settings,
};
use crate::{
    calls::{
        call::{self, Calling, Sending},
        json::Json,
        line::{self, Line, LinkState, Route},
        stream::Streaming,
        untyped::JsonStreaming,
    },
    config::{GRACE, after},
    connection::Conn,
    error::{CallError, Closed, ClosedBy, TrySendError},
    service::{
        Service,
        bounds::{HasClient, SpokenBy},
        context::Cx,
        extract::Extract,
    },
};

/// The client's end of a connection: sends what the `client { … }` list of the protocol allows.
///
/// Cheap to clone. When the last clone is dropped, what was accepted is finished and the connection closes; to be sure
/// that it has been written before the program ends, await [`close`](Self::close).
pub struct Client<P: Phase> {
    pub(crate) way: Way,
    phase: PhantomData<fn() -> P>,
}

/// What a client talks on.
pub(crate) enum Way {
    /// One connection.
    Conn(Arc<Conn>),
    /// One after the other.
    Line(Arc<Line>),
}

impl<P: Phase> Client<P> {
    pub(crate) fn new(conn: Arc<Conn>) -> Self {
        conn.add_client();
        Self::opened(conn)
    }

    /// The first client of a connection, which [`open`] has counted.
    pub(crate) const fn opened(conn: Arc<Conn>) -> Self {
        Self { way: Way::Conn(conn), phase: PhantomData }
    }

    pub(crate) fn on_line(line: Arc<Line>) -> Self {
        line.add_user();
        Self { way: Way::Line(line), phase: PhantomData }
    }

    /// The connection, and where to go when it is gone.
    #[inline]
    fn route(&self) -> (Arc<Conn>, Route) {
        match &self.way {
            Way::Conn(conn) => (Arc::clone(conn), Route::Fixed),
            Way::Line(line) => (line.conn(), Route::Line(Arc::clone(line))),
        }
    }

    /// The connection, or the last one.
    pub(crate) fn conn(&self) -> Arc<Conn> {
        self.route().0
    }

    /// How packets look on this connection.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.conn().dialect
    }

    /// The key that the server has proved to hold, by TLS: its raw key, or that of its certificate. `None` in plain text. Of a
    /// client that [reconnects](ClientBuilder::reconnect), the current connection's or the last one's.
    #[must_use]
    pub fn key(&self) -> Option<Fingerprint> {
        self.conn().key.as_deref().copied()
    }

    /// The connection's public id, as the server knows it; towards a JSON server that names no connections, one of this
    /// side's own. Of a client that [reconnects](ClientBuilder::reconnect), the current connection's or the last one's.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.conn().id
    }

    /// What the client's connection is doing, now and from now on.
    ///
    /// The receiver shows the last state and may miss some between two looks. Without
    /// [`reconnect`](ClientBuilder::reconnect) there are two: [`LinkState::Up`] and [`LinkState::Closed`].
    ///
    /// # Panics
    ///
    /// Without `reconnect`, outside of a tokio runtime.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<LinkState> {
        match &self.way {
            Way::Conn(conn) => line::states_of(conn),
            Way::Line(line) => line.states(),
        }
    }

    /// Sends a packet that has no answer. Waits while the connection's queue is full.
    ///
    /// Packets arrive in order, and before any call made after them. Ready means queued, not arrived.
    ///
    /// # Errors
    ///
    /// [`SendError`](crate::SendError) if the packet could not be encoded, is too long for the server, or the
    /// connection is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the packet is not sent.
    #[inline]
    pub fn send<T>(&self, packet: T) -> Sending
    where
        T: ClientSends<P>,
        T::Kind: OneWay<T>,
    {
        let (conn, route) = self.route();
        Sending::new::<T, T::Kind>(conn, route, T::ID, &packet)
    }

    /// Sends a packet that has no answer, if there is room for it now.
    ///
    /// # Errors
    ///
    /// Gives the packet back: the queue is full, or what [`send`](Self::send) would report.
    pub fn try_send<T>(&self, packet: T) -> Result<(), TrySendError<T>>
    where
        T: ClientSends<P>,
        T::Kind: OneWay<T>,
    {
        call::try_send::<T, T::Kind>(&self.conn(), T::ID, packet)
    }

    /// Sends a packet without an answer that was made at run time. As [`send`](Self::send), but the packet is checked
    /// here instead of by the compiler.
    ///
    /// # Errors
    ///
    /// [`SendError::Json`](crate::SendError::Json) if the protocol has no such packet or its data does not fit; else as
    /// [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the packet is not sent.
    pub fn send_json(&self, packet: &Json) -> Sending {
        let (conn, route) = self.route();
        packet.sending(conn, route)
    }

    /// Makes a call that was made at run time, and gives the answer in the same form. As [`call`](Self::call), but the
    /// packet is checked here instead of by the compiler.
    ///
    /// The answer of the server becomes a [`serde_json::Value`], which takes up to a hundred times as much memory as its
    /// text; the server is bounded by the frame length of this side's [`Limits`](crate::Limits).
    ///
    /// # Errors
    ///
    /// [`CallError::Json`](crate::CallError::Json) if the protocol has no such call, its data does not fit, or the answer
    /// cannot be read; else as [`call`](Self::call). A declared error is [`CallError::Declared`](crate::CallError::Declared).
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub async fn call_json(&self, packet: Json) -> Result<Json, CallError<Json>> {
        let (conn, route) = self.route();
        packet.calling(conn, route).await
    }

    /// Opens a stream with a packet that was made at run time, and gives its items in the same form. As
    /// [`stream`](Self::stream), but the packet is checked here instead of by the compiler.
    ///
    /// What is wrong with the packet is the first item: see [`JsonStreaming`].
    pub fn stream_json(&self, packet: &Json) -> JsonStreaming {
        let (conn, route) = self.route();
        packet.streaming(conn, route)
    }

    /// Sends a packet and waits for the server's answer.
    ///
    /// Calls may overlap. Above the server's limit (64 unless set) they wait here. The wait ends after the call timeout:
    /// 30 s unless set.
    ///
    /// # Errors
    ///
    /// [`CallError`](crate::CallError): the declared error, a failure, no answer in time, the connection gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call: its handler stops at its next `.await`, unless it is marked `finish`.
    #[inline]
    pub fn call<T>(&self, packet: T) -> Calling<<T::Kind as Answered<T>>::Reply>
    where
        T: ClientSends<P>,
        T::Kind: Answered<T>,
    {
        let (conn, route) = self.route();
        Calling::new::<T, T::Kind>(conn, route, T::ID, &packet)
    }

    /// Opens a stream, for a packet that the protocol declares `-> stream B` or `-> stream Result<B, E>`: the server's
    /// handler answers with any number of `B`. See [`Streaming`] for how they are read and how it ends.
    ///
    /// The packet is encoded at once, and sent when the first item is asked for.
    pub fn stream<T>(&self, packet: T) -> Streaming<<T::Kind as Streamed<T>>::Reply>
    where
        T: ClientSends<P>,
        T::Kind: Streamed<T>,
    {
        let (conn, route) = self.route();
        Streaming::new::<T, T::Kind>(conn, route, T::ID, &packet)
    }

    /// Closes the connection: what was accepted is finished, within 10 s, what was queued is written, and the server
    /// learns that it was meant. Returns once that is done. A handler of this very connection must not wait for it:
    /// handlers are part of what is finished.
    ///
    /// # Cancel safety
    ///
    /// The connection closes even if the future is dropped.
    pub async fn close(&self) -> Arc<Closed> {
        match &self.way {
            Way::Conn(conn) => {
                let closed = Closed::new(CloseCode::Normal, "", ClosedBy::Here);
                conn.request_drain(closed, after(GRACE));
                conn.written().await
            }
            Way::Line(line) => {
                line.request_close();
                line.closed().await
            }
        }
    }

    /// The last round trip that was measured: by the pings that are sent when a side is silent, or by
    /// [`ping`](Self::ping). `None` before the first.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.conn().out().pings.rtt()
    }

    /// Sends a ping now and measures the time until its answer comes. Those who ask at the same time share one.
    ///
    /// Handlers are not part of it: the other side's connection answers. A JSON peer that was not made with pnet is sent
    /// none, and the wait ends with the connection.
    ///
    /// # Errors
    ///
    /// Why the connection ended, if it ends first.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn ping(&self) -> Result<Duration, Arc<Closed>> {
        self.conn().ping().await
    }

    /// Whether the connection is gone; of a client that [reconnects](ClientBuilder::reconnect), for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.way {
            Way::Conn(conn) => conn.gone().is_some(),
            Way::Line(line) => line.over().is_some(),
        }
    }

    /// Waits until the connection is gone, for good if the client [reconnects](ClientBuilder::reconnect), and says why.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn closed(&self) -> Arc<Closed> {
        match &self.way {
            Way::Conn(conn) => conn.closed().await,
            Way::Line(line) => line.closed().await,
        }
    }
}

impl<P: Phase> Clone for Client<P> {
    fn clone(&self) -> Self {
        match &self.way {
            Way::Conn(conn) => Self::new(Arc::clone(conn)),
            Way::Line(line) => Self::on_line(Arc::clone(line)),
        }
    }
}

impl<P: Phase> Drop for Client<P> {
    fn drop(&mut self) {
        match &self.way {
            Way::Conn(conn) => conn.drop_client(),
            Way::Line(line) => line.drop_user(),
        }
    }
}

impl<P: Phase> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conn = self.conn();
        f.debug_struct("Client").field("id", &conn.id).field("server", &conn.addr).finish_non_exhaustive()
    }
}

impl<S: Service, Ph: Phase> Extract<S> for Client<Ph>
where
    S::Side: HasClient,
    Ph::Protocol: SpokenBy<S::Protocol>,
{
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        Ok(Self::new(Arc::clone(&cx.link().conn)))
    }
}

impl<S: Service> Cx<S> {
    /// The client this handler belongs to.
    #[must_use]
    pub fn client<Ph>(&self) -> Client<Ph>
    where
        S: Service<Side = ClientSide>,
        Ph: Phase<Protocol = S::Protocol>,
    {
        Client::new(Arc::clone(&self.link().conn))
    }
}
