//! All connections of one server.

use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc};

use bytes::Bytes;
use pnet_protocol::{
    close::{CloseCode, Retry},
    dialect::Dialect,
    id::ConnectionId,
    packet::{EncodeError, WhenFull},
    protocol::{OneWay, Phase, Protocol, ProtocolInfo, ServerSends, ServerSide},
};

use crate::{
    buffers,
    calls::{call::packet_frame, json::Json},
    connection::{Conn, registry::HubCore},
    error::{Closed, ClosedBy, JsonError, SendError},
    info::PeerInfo,
    peer::Peer,
    service::{
        FirstCx, Service,
        authenticate::ExtractFirst,
        bounds::{HasPeers, SpokenBy},
        context::Cx,
        extract::Extract,
    },
};

/// Every connection of a server: looked up, counted, sent to, suspended, closed.
///
/// A connection is in it from the end of its connect handler to the beginning of its disconnect handler. Cheap to clone.
/// Handlers take it as an argument; a state that wants to hold one makes it with [`Hub::new`] and gives it to
/// [`ServerBuilder::hub`](crate::ServerBuilder::hub).
///
/// # Examples
///
/// ```
/// # use pnet::{Packet, protocol, actions, action};
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
/// let hub = server.hub();
/// let first = server.connect(Ui, ()).await?;
/// let second = server.connect(Ui, ()).await?;
/// first.call(Ask { n: 1 }).await?;
///
/// let ids: Vec<_> = hub.peers().iter().map(|peer| peer.id()).collect();
/// assert_eq!(ids, [first.id(), second.id()]);
/// assert_eq!(hub.latest().map(|peer| peer.id()), Some(second.id()));
/// assert_eq!(hub.info(first.id()).map(|info| info.received.calls), Some(1));
///
/// hub.suspend(first.id());
/// assert_eq!(hub.broadcast(&Hint { n: 2 }).skipped, 1);
/// hub.close(second.id(), pnet::CloseCode::Normal, "the quiz is over");
/// assert_eq!(second.closed().await.reason(), "the quiz is over");
/// # Ok(()) }
/// ```
pub struct Hub<P: Phase> {
    core: Arc<HubCore>,
    phase: PhantomData<fn() -> P>,
}

/// How many connections a broadcast reached.
#[non_exhaustive]
#[derive(Debug, Default)]
pub struct Broadcast {
    /// Connections whose queue took the packet: it is written as soon as the peer takes it, unless the connection ends
    /// before.
    pub queued: usize,
    /// Connections that are not meant to get it now: excepted by the caller, [suspended](Peer::suspend), gone already, or
    /// of the old form, whose peer takes no pushes.
    pub skipped: usize,
    /// Connections that should get it and do not, for one of these reasons:
    ///
    /// - The queue is full, or the server [holds too much](crate::ServerBuilder::max_memory) for all of them. With
    ///   [`WhenFull::DropNew`](crate::WhenFull::DropNew) that is all; with [`WhenFull::Wait`](crate::WhenFull::Wait) the
    ///   connection is closed if its queue does not fall below half in 10 s from the first such packet on; with
    ///   [`WhenFull::Disconnect`](crate::WhenFull::Disconnect) it is closed at once.
    /// - The packet is longer than the peer takes.
    /// - It cannot be encoded in the connection's dialect: see `error`.
    pub dropped: usize,
    /// Why connections of a dialect do not get it: the packet cannot be encoded. Also in the log, as an error.
    pub error: Option<EncodeError>,
}

impl<P: Phase> Hub<P> {
    /// A hub without connections, to be given to a server.
    #[must_use]
    pub fn new() -> Self {
        Self::from_core(Arc::default())
    }

    pub(crate) const fn from_core(core: Arc<HubCore>) -> Self {
        Self { core, phase: PhantomData }
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn core(&self) -> Arc<HubCore> {
        Arc::clone(&self.core)
    }

    pub(crate) fn into_core(self) -> Arc<HubCore> {
        self.core
    }

    /// The connection with this id, if it is still there.
    #[must_use]
    pub fn get(&self, id: ConnectionId) -> Option<Peer<P>> {
        self.core.list().get(id).map(|conn| Peer::new(Arc::clone(conn)))
    }

    /// The connection that was let in last, of those that are still there. `None` if there are none.
    #[must_use]
    pub fn latest(&self) -> Option<Peer<P>> {
        self.core.list().values().next_back().map(|conn| Peer::new(Arc::clone(conn)))
    }

    /// One of the connections there are now, each with the same probability. `None` if there are none.
    ///
    /// For spreading work, not for secrets: how unpredictable the choice is, is not promised. It takes longer the more
    /// connections there are.
    #[must_use]
    pub fn random(&self) -> Option<Peer<P>> {
        // The lower 62 bits of a uuid of version 4 are random, all of them; what they are is asked outside of the lock.
        let bits = u128::from_be_bytes(*ConnectionId::random().as_bytes()) & ((1 << 62) - 1);
        let list = self.core.list();
        let index = bits.checked_rem(list.len() as u128)?;
        // Of 2^62 numbers, those that are left over at the end favour nobody noticeably.
        list.values().nth(usize::try_from(index).ok()?).map(|conn| Peer::new(Arc::clone(conn)))
    }

    /// The connections there are now, in the order in which they were let in.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer<P>> {
        self.core.list().values().map(|conn| Peer::new(Arc::clone(conn))).collect()
    }

    /// What is known about one connection, if it is still there: see [`Peer::info`].
    #[must_use]
    pub fn info(&self, id: ConnectionId) -> Option<PeerInfo> {
        self.get(id).map(|peer| peer.info())
    }

    /// What is known about each connection there is now, in the order in which they were let in.
    ///
    /// They are asked one after the other, so one that is closed meanwhile may be among them.
    #[must_use]
    pub fn infos(&self) -> Vec<PeerInfo> {
        self.peers().iter().map(Peer::info).collect()
    }

    /// How many connections there are now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.list().len()
    }

    /// Whether there are no connections.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.core.list().len() == 0
    }

    /// Sends a packet to one connection. Waits while its queue is full.
    ///
    /// # Errors
    ///
    /// As [`Peer::send`]; a connection that is not there any more is [`SendError::Disconnected`].
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the packet is not sent.
    pub async fn send_to<T>(&self, id: ConnectionId, packet: T) -> Result<(), SendError>
    where
        T: ServerSends<P>,
        T::Kind: OneWay<T>,
    {
        match self.get(id) {
            Some(peer) => peer.send(packet).await,
            None => Err(SendError::Disconnected(Arc::new(Closed::new(
                CloseCode::Lost,
                "no such connection",
                ClosedBy::Transport,
            )))),
        }
    }

    /// Queues a packet for every connection. It is encoded once for each dialect that is spoken; nothing waits for slow
    /// peers, see [`Broadcast`].
    pub fn broadcast<T>(&self, packet: &T) -> Broadcast
    where
        T: ServerSends<P>,
        T::Kind: OneWay<T>,
    {
        self.broadcast_if(packet, |_| true)
    }

    /// The same for every connection but one.
    pub fn broadcast_except<T>(&self, except: ConnectionId, packet: &T) -> Broadcast
    where
        T: ServerSends<P>,
        T::Kind: OneWay<T>,
    {
        self.broadcast_if(packet, |peer| peer.id() != except)
    }

    /// The same for the connections that `wanted` says yes to.
    pub fn broadcast_if<T>(&self, packet: &T, wanted: impl Fn(&Peer<P>) -> bool) -> Broadcast
    where
        T: ServerSends<P>,
        T::Kind: OneWay<T>,
    {
        let mut error = None;
        let info = <P::Protocol as Protocol>::INFO.server.get(T::ID);
        let when_full = info.map_or(WhenFull::Wait, |info| info.when_full);
        let result = deliver(&self.peers(), Peer::conn, (T::ID, when_full), wanted, |conn| {
            packet_frame::<T, T::Kind>(conn.dialect, conn.action(T::ID), T::ID, packet)
                .inspect_err(|error| tracing::error!(%error, dialect = %conn.dialect, "a broadcast cannot be encoded"))
                .map_err(|refused| error = Some(refused))
                .ok()
        });
        Broadcast { error, ..result }
    }

    /// Sends a packet that was made at run time to every connection, as [`broadcast`](Self::broadcast) does.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if the protocol has no such packet or its data does not fit; nobody gets it then.
    pub fn broadcast_json(&self, packet: &Json) -> Result<Broadcast, JsonError> {
        self.core.broadcast_json(<P::Protocol as Protocol>::INFO, packet)
    }

    /// Suspends delivery to one connection: see [`Peer::suspend`]. `false` if it was not there.
    pub fn suspend(&self, id: ConnectionId) -> bool {
        self.get(id).inspect(Peer::suspend).is_some()
    }

    /// Ends what [`suspend`](Self::suspend) began: see [`Peer::resume`]. `false` if the connection was not there.
    pub fn resume(&self, id: ConnectionId) -> bool {
        self.get(id).inspect(Peer::resume).is_some()
    }

    /// Closes one connection with a code and a reason, which its client learns: see [`Peer::close`]. `false` if it was not
    /// there.
    pub fn close(&self, id: ConnectionId, code: CloseCode, reason: impl Into<String>) -> bool {
        self.close_with(id, code, reason, Retry::Unspecified)
    }

    /// The same with advice about coming back: see [`Peer::close_with`].
    pub fn close_with(&self, id: ConnectionId, code: CloseCode, reason: impl Into<String>, retry: Retry) -> bool {
        self.get(id).map(|peer| peer.close_with(code, reason, retry)).is_some()
    }
}

impl<P: Phase> Default for Hub<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Phase> Clone for Hub<P> {
    fn clone(&self) -> Self {
        Self::from_core(Arc::clone(&self.core))
    }
}

impl<P: Phase> fmt::Debug for Hub<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("connections", &self.len()).finish_non_exhaustive()
    }
}

impl HubCore {
    /// Sends a packet of the protocol that was made at run time to every connection.
    pub(crate) fn broadcast_json(&self, info: &'static ProtocolInfo, packet: &Json) -> Result<Broadcast, JsonError> {
        // Whether it fits does not depend on who is there.
        let mut native = Some(packet.frame(info, &info.server, Dialect::Native)?);
        let rule = packet.rule(info, &info.server)?;
        Ok(deliver(
            &self.conns(),
            |conn| conn,
            rule,
            |_| true,
            |conn| match conn.dialect {
                Dialect::Native => native.take(),
                dialect => packet
                    .frame(info, &info.server, dialect)
                    .inspect_err(|error| tracing::error!(%error, %dialect, "a broadcast cannot be encoded"))
                    .ok(),
            },
        ))
    }
}

/// A packet as one dialect has it.
struct Encoded {
    frame: Vec<u8>,
    /// Made to be shared once a connection has to keep it.
    kept: Option<Bytes>,
}

/// Puts a packet into the queues of all who are wanted. It is encoded once for each dialect that is spoken.
fn deliver<T>(
    targets: &[T],
    conn_of: impl Fn(&T) -> &Arc<Conn>,
    (action, when_full): (u16, WhenFull),
    wanted: impl Fn(&T) -> bool,
    mut encode: impl FnMut(&Conn) -> Option<Vec<u8>>,
) -> Broadcast {
    let mut result = Broadcast::default();
    let mut frames: [Option<Option<Encoded>>; 2] = [None, None];
    for target in targets {
        if !wanted(target) {
            result.skipped += 1;
            continue;
        }
        let conn = conn_of(target);
        let place = &mut frames[usize::from(conn.dialect != Dialect::Native)];
        let Some(frame) = place.get_or_insert_with(|| encode(conn).map(|frame| Encoded { frame, kept: None })) else {
            result.dropped += 1;
            continue;
        };
        let mut out = conn.out();
        match out.send(action, &frame.frame, Some(&mut frame.kept)) {
            Ok(()) => result.queued += 1,
            Err(SendError::Disconnected(_) | SendError::Unsupported | SendError::Suspended) => result.skipped += 1,
            Err(error) => {
                result.dropped += 1;
                match when_full {
                    WhenFull::Wait if matches!(error, SendError::Full) => out.refuse(),
                    WhenFull::Disconnect if matches!(error, SendError::Full) => {
                        drop(out);
                        conn.overrun();
                    }
                    _ => {}
                }
            }
        }
    }
    frames.into_iter().flatten().flatten().for_each(|encoded| buffers::give(encoded.frame));
    result
}

impl<S: Service, Ph: Phase> Extract<S> for Hub<Ph>
where
    S::Side: HasPeers,
    Ph::Protocol: SpokenBy<S::Protocol>,
{
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        Ok(Self::from_core(Arc::clone(&cx.link().shared.hub)))
    }
}

impl<S: Service, Ph: Phase> ExtractFirst<S> for Hub<Ph>
where
    S::Side: HasPeers,
    Ph::Protocol: SpokenBy<S::Protocol>,
{
    fn extract(cx: &FirstCx<S>) -> Self {
        Self::from_core(Arc::clone(&cx.shared.hub))
    }
}

impl<S: Service> Cx<S> {
    /// Every connection of this server.
    #[must_use]
    pub fn hub<Ph>(&self) -> Hub<Ph>
    where
        S: Service<Side = ServerSide>,
        Ph: Phase<Protocol = S::Protocol>,
    {
        Hub::from_core(Arc::clone(&self.link().shared.hub))
    }
}
