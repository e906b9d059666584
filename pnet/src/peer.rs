//! The other end of one connection of a server.

use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pnet_protocol::{
    close::{CloseCode, Retry},
    dialect::Dialect,
    id::ConnectionId,
    key::Fingerprint,
    protocol::{Answered, OneWay, Phase, ServerSends, ServerSide, Streamed},
};

use crate::{
    calls::{
        call::{self, Calling, Sending},
        json::Json,
        line::Route,
        stream::Streaming,
        untyped::JsonStreaming,
    },
    connection::Conn,
    error::{CallError, Closed, ClosedBy, TrySendError},
    info::PeerInfo,
    service::{
        Service,
        bounds::{HasPeers, SpokenBy},
        context::Cx,
        extract::Extract,
    },
    transport::PeerAddr,
};

/// The other end of one connection, for a server: sends what the `server { … }` list of the protocol allows.
///
/// Cheap to clone; holding one does not keep the connection open.
pub struct Peer<P: Phase> {
    conn: Arc<Conn>,
    phase: PhantomData<fn() -> P>,
}

impl<P: Phase> Peer<P> {
    pub(crate) const fn new(conn: Arc<Conn>) -> Self {
        Self { conn, phase: PhantomData }
    }

    /// The connection's public id.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.conn.id
    }

    /// Who is there.
    #[must_use]
    pub fn addr(&self) -> &PeerAddr {
        &self.conn.addr
    }

    /// The key that the client has proved to hold, by TLS: what it has set as its
    /// [`identity`](crate::ClientBuilder::identity). `None` if it has shown none, and in plain text.
    #[must_use]
    pub fn key(&self) -> Option<&Fingerprint> {
        self.conn.key.as_deref()
    }

    /// How packets look on this connection; the client chose it.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.conn.dialect
    }

    /// When the connection was opened.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.conn.since
    }

    /// What is known about the connection now: who is there, and how much went over it in both directions.
    ///
    /// It can still be asked for when the connection is gone. Looking stops nobody for longer than a send does.
    #[must_use]
    pub fn info(&self) -> PeerInfo {
        PeerInfo::of(&self.conn)
    }

    /// Sends a packet that has no answer. Waits while the connection's queue is full.
    ///
    /// Packets of one sender arrive in order, and before any call made after them. Ready means queued, not arrived.
    ///
    /// # Errors
    ///
    /// [`SendError`](crate::SendError) if the packet could not be encoded, is too long for the peer, or the connection
    /// is gone or [suspended](Self::suspend).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the packet is not sent.
    #[inline]
    pub fn send<T>(&self, packet: T) -> Sending
    where
        T: ServerSends<P>,
        T::Kind: OneWay<T>,
    {
        Sending::new::<T, T::Kind>(Arc::clone(&self.conn), Route::Fixed, T::ID, &packet)
    }

    /// Sends a packet that has no answer, if there is room for it now.
    ///
    /// # Errors
    ///
    /// Gives the packet back: the queue is full, or what [`send`](Self::send) would report.
    pub fn try_send<T>(&self, packet: T) -> Result<(), TrySendError<T>>
    where
        T: ServerSends<P>,
        T::Kind: OneWay<T>,
    {
        call::try_send::<T, T::Kind>(&self.conn, T::ID, packet)
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
        packet.sending(Arc::clone(&self.conn), Route::Fixed)
    }

    /// Makes a call that was made at run time, and gives the answer in the same form. As [`call`](Self::call), but the
    /// packet is checked here instead of by the compiler.
    ///
    /// The answer of the client becomes a [`serde_json::Value`], which takes up to a hundred times as much memory as its
    /// text; the client is bounded by the frame length of this side's [`Limits`](crate::Limits).
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
        packet.calling(Arc::clone(&self.conn), Route::Fixed).await
    }

    /// Opens a stream with a packet that was made at run time, and gives its items in the same form. As
    /// [`stream`](Self::stream), but the packet is checked here instead of by the compiler.
    ///
    /// What is wrong with the packet is the first item: see [`JsonStreaming`].
    pub fn stream_json(&self, packet: &Json) -> JsonStreaming {
        packet.streaming(Arc::clone(&self.conn), Route::Fixed)
    }

    /// Sends a packet and waits for the client's answer.
    ///
    /// Calls may overlap. Above the client's limit (64 unless set) they wait here. The wait ends after the server's
    /// call timeout: 30 s unless set.
    ///
    /// # Errors
    ///
    /// [`CallError`](crate::CallError): the declared error, a failure, no answer in time, the connection gone or
    /// [suspended](Self::suspend).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call: its handler stops at its next `.await`, unless it is marked `finish`.
    #[inline]
    pub fn call<T>(&self, packet: T) -> Calling<<T::Kind as Answered<T>>::Reply>
    where
        T: ServerSends<P>,
        T::Kind: Answered<T>,
    {
        Calling::new::<T, T::Kind>(Arc::clone(&self.conn), Route::Fixed, T::ID, &packet)
    }

    /// Opens a stream, for a packet that the protocol declares `-> stream B` or `-> stream Result<B, E>`: the client's
    /// handler answers with any number of `B`. See [`Streaming`] for how they are read and how it ends.
    ///
    /// The packet is encoded at once, and sent when the first item is asked for.
    pub fn stream<T>(&self, packet: T) -> Streaming<<T::Kind as Streamed<T>>::Reply>
    where
        T: ServerSends<P>,
        T::Kind: Streamed<T>,
    {
        Streaming::new::<T, T::Kind>(Arc::clone(&self.conn), Route::Fixed, T::ID, &packet)
    }

    /// Suspends delivery: from now on, what this side would send of its own accord is refused.
    ///
    /// [`send`](Self::send), [`try_send`](Self::try_send) and [`Hub::send_to`](crate::Hub::send_to) fail with
    /// [`SendError::Suspended`](crate::SendError::Suspended), [`call`](Self::call) with
    /// [`CallError::Suspended`](crate::CallError::Suspended), those that wait for room in the queue included; a
    /// broadcast skips the connection. What was queued before is still delivered, and calls that are open are still
    /// answered.
    ///
    /// Nothing else changes: what the client sends is handled, its calls and streams are answered, and the connection
    /// closes as ever. The client is not told. Suspending a connection twice is the same as once.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Packet, protocol, actions, action, SendError};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Told { n: u8 }
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Hint { n: u8 }
    /// # protocol! { pub Quiz { client { Ask -> Told } server { Hint } } }
    /// # #[action("ASK")] fn ask(p: Ask) -> Told { Told { n: p.n } }
    /// # #[action("HINT")] fn hint(_: Hint) {}
    /// # actions! { pub server QuizServer for Quiz: ask }
    /// # actions! { pub client Ui for Quiz: hint }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = pnet::memory::serve(QuizServer, ());
    /// let quiz = server.connect(Ui, ()).await?;
    /// let peer = server.hub().get(quiz.id()).expect("it has just connected");
    ///
    /// peer.suspend();
    /// assert!(matches!(peer.send(Hint { n: 1 }).await, Err(SendError::Suspended)));
    /// assert_eq!(quiz.call(Ask { n: 2 }).await?.n, 2); // is answered all the same
    ///
    /// peer.resume();
    /// peer.send(Hint { n: 3 }).await?;
    /// # Ok(()) }
    /// ```
    pub fn suspend(&self) {
        self.conn.set_suspended(true);
    }

    /// Ends what [`suspend`](Self::suspend) began; if nothing is suspended, nothing happens.
    ///
    /// What was refused meanwhile stays refused. A sender that waited for room and was not polled in between goes on
    /// waiting, as if there had been no suspension.
    pub fn resume(&self) {
        self.conn.set_suspended(false);
    }

    /// Whether delivery to this connection is [suspended](Self::suspend).
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.conn.out().suspended
    }

    /// Closes the connection now: what was queued is written, handlers stop, the client learns code and reason. If it is
    /// closing already, for whatever reason, that one stays.
    pub fn close(&self, code: CloseCode, reason: impl Into<String>) {
        self.close_with(code, reason, Retry::Unspecified);
    }

    /// The same with advice about coming back: [`Retry::after`] some time, or [`Retry::Never`].
    pub fn close_with(&self, code: CloseCode, reason: impl Into<String>, retry: Retry) {
        self.conn.request_close(Closed::new(code, reason.into(), ClosedBy::Here).with_retry(retry));
    }

    /// The last round trip that was measured: by the pings that are sent when a side is silent, or by
    /// [`ping`](Self::ping). `None` before the first.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.conn.out().pings.rtt()
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
        self.conn.ping().await
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

    pub(crate) const fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }
}

impl<P: Phase> Clone for Peer<P> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.conn))
    }
}

impl<P: Phase> fmt::Debug for Peer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.conn.id).field("addr", &self.conn.addr).finish_non_exhaustive()
    }
}

impl<S: Service, Ph: Phase> Extract<S> for Peer<Ph>
where
    S::Side: HasPeers,
    Ph::Protocol: SpokenBy<S::Protocol>,
{
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        #[cfg(feature = "console")]
        cx.link().conn.needs_peer();
        Ok(Self::new(Arc::clone(&cx.link().conn)))
    }
}

impl<S: Service> Cx<S> {
    /// The other end of this connection, on a server.
    #[must_use]
    pub fn peer<Ph>(&self) -> Peer<Ph>
    where
        S: Service<Side = ServerSide>,
        Ph: Phase<Protocol = S::Protocol>,
    {
        #[cfg(feature = "console")]
        self.link().conn.needs_peer();
        Peer::new(Arc::clone(&self.link().conn))
    }
}
