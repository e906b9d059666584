//! All connections of one server.

use std::{
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use pnet_protocol::{
    close::CloseCode,
    dialect::Dialect,
    id::ConnectionId,
    packet::EncodeError,
    protocol::{OneWay, Phase, ServerSends},
};

use crate::{
    call::packet_frame,
    connection::{Conn, Enqueued, wake},
    error::{Closed, ClosedBy, SendError},
    peer::Peer,
};

/// Every connection of a server: looked up, counted, sent to.
///
/// A connection is in it from the end of its connect handler to the beginning of its disconnect handler. Cheap to clone.
/// Handlers take it as an argument; a state that wants to hold one makes it with [`Hub::new`] and gives it to
/// [`ServerBuilder::hub`](crate::ServerBuilder::hub).
pub struct Hub<P: Phase> {
    core: Arc<HubCore>,
    phase: PhantomData<fn() -> P>,
}

/// How many connections a broadcast reached.
#[non_exhaustive]
#[derive(Debug, Default)]
pub struct Broadcast {
    /// Connections whose queue took the packet.
    pub queued: usize,
    /// Connections that were left out: excepted by the caller, or already gone.
    pub skipped: usize,
    /// Connections whose queue was full, whose peer takes no packet of that length, or in whose dialect the packet cannot
    /// be encoded: they do not get it.
    pub dropped: usize,
    /// Why connections of a dialect do not get it: the packet cannot be encoded. Also in the log, as an error.
    pub error: Option<EncodeError>,
}

/// What the handles of one hub share; also the server's own list of connections.
#[derive(Debug, Default)]
pub(crate) struct HubCore {
    conns: Mutex<HashMap<ConnectionId, Arc<Conn>>>,
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

    pub(crate) fn into_core(self) -> Arc<HubCore> {
        self.core
    }

    /// The connection with this id, if it is still there.
    #[must_use]
    pub fn get(&self, id: ConnectionId) -> Option<Peer<P>> {
        self.core.conns().get(&id).map(|conn| Peer::new(Arc::clone(conn)))
    }

    /// The connections there are now, in no particular order.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer<P>> {
        self.core.conns().values().map(|conn| Peer::new(Arc::clone(conn))).collect()
    }

    /// How many connections there are now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.conns().len()
    }

    /// Whether there are no connections.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.core.conns().is_empty()
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

    /// Queues a packet for every connection. It is encoded once; nothing waits for slow peers, see [`Broadcast`].
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
        let mut result = Broadcast::default();
        // Encoded once for each dialect that is spoken.
        let mut frames: [Option<Result<Bytes, ()>>; 2] = [None, None];
        for peer in self.peers() {
            if !wanted(&peer) {
                result.skipped += 1;
                continue;
            }
            let conn = peer.conn();
            let place = &mut frames[usize::from(conn.dialect != Dialect::Native)];
            let frame = place.get_or_insert_with(|| {
                packet_frame::<T, T::Kind>(conn.dialect, conn.action(T::ID), T::ID, packet).map(Bytes::from).map_err(
                    |error| {
                        tracing::error!(%error, dialect = %conn.dialect, "a broadcast cannot be encoded");
                        result.error = Some(error);
                    },
                )
            });
            let Ok(frame) = frame else {
                result.dropped += 1;
                continue;
            };
            let mut out = conn.out();
            if out.gone.is_some() {
                result.skipped += 1;
                continue;
            }
            match out.shared_packet(frame) {
                Enqueued::Taken(waker) => {
                    drop(out);
                    wake(waker);
                    result.queued += 1;
                }
                Enqueued::Unsupported => result.skipped += 1,
                Enqueued::Full | Enqueued::TooLong { .. } => result.dropped += 1,
            }
        }
        result
    }

    /// Closes one connection with a reason, which its client learns. `false` if it was not there.
    pub fn close(&self, id: ConnectionId, reason: impl Into<String>) -> bool {
        let peer = self.get(id);
        if let Some(peer) = &peer {
            peer.close(reason);
        }
        peer.is_some()
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
    pub(crate) fn add(&self, conn: &Arc<Conn>) {
        self.conns().insert(conn.id, Arc::clone(conn));
    }

    pub(crate) fn remove(&self, id: ConnectionId) {
        self.conns().remove(&id);
    }

    fn conns(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Conn>>> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
