//! A running server, and the handles on it.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use pnet_protocol::{key::Fingerprint, protocol::Phase};

use super::{
    Core,
    ending::{Ending, Plan, Shutdown},
};
use crate::hub::Hub;

/// A running server. Dropping it closes every connection at once: handlers stop, and the clients learn that the server is
/// going away and when to come back, as with [`shutdown`](ServerHandle::shutdown), which lets them finish.
#[must_use = "dropping a server closes it"]
pub struct Server<P: Phase, A = SocketAddr> {
    pub(crate) handle: ServerHandle<P>,
    pub(super) local_addr: A,
    pub(super) grace: Duration,
    pub(super) closes: bool,
}

impl<P: Phase, A: Clone> Server<P, A> {
    /// The address it listens on; with port 0, the one that was chosen.
    #[must_use]
    pub fn local_addr(&self) -> A {
        self.local_addr.clone()
    }

    /// Every connection.
    #[must_use]
    pub fn hub(&self) -> Hub<P> {
        self.handle.hub.clone()
    }

    /// See [`ServerHandle::memory_used`].
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.handle.memory_used()
    }

    /// A handle that can shut the server down from elsewhere.
    #[must_use]
    pub fn handle(&self) -> ServerHandle<P> {
        self.handle.clone()
    }

    /// Serves until somebody calls [`ServerHandle::shutdown`], and until that is done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the server, which closes it.
    pub async fn run(self) {
        let core = &self.handle.core;
        tokio::select! {
            () = core.tasks.wait() => {}
            () = core.over.cancelled() => {}
        }
    }

    /// Waits until the server has ended: see [`ServerHandle::closed`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn closed(&self) {
        self.handle.closed().await;
    }

    /// Serves until `stop` is ready, for example [`ctrl_c`](crate::ctrl_c), and shuts down with the grace it was
    /// configured with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the server, which closes it.
    pub async fn run_until(self, stop: impl Future) -> Shutdown {
        stop.await;
        self.handle.shutdown(self.grace).await
    }

    /// Shuts down: see [`ServerHandle::shutdown`].
    ///
    /// # Cancel safety
    ///
    /// As [`ServerHandle::shutdown`]; the server is dropped with the future, which closes what is left.
    pub async fn shutdown(self, grace: Duration) -> Shutdown {
        self.handle.shutdown(grace).await
    }

    /// What a client in this process may trust, if TLS is spoken.
    pub(crate) fn own_key(&self) -> Option<Fingerprint> {
        self.handle.core.acceptor.get().and_then(|acceptor| acceptor.fingerprint())
    }

    /// Connections outlive the value: for servers in memory.
    pub(crate) const fn keep_open(mut self) -> Self {
        self.closes = false;
        self
    }
}

impl<P: Phase, A> Drop for Server<P, A> {
    fn drop(&mut self) {
        if self.closes {
            let core = &self.handle.core;
            for conn in core.stop() {
                conn.request_close(core.farewell());
            }
        }
    }
}

/// Shuts a server down from elsewhere. Cheap to clone; holding one keeps nothing open.
pub struct ServerHandle<P: Phase> {
    pub(crate) core: Arc<Core>,
    pub(crate) hub: Hub<P>,
}

impl<P: Phase> ServerHandle<P> {
    /// Stops accepting, lets the calls and packets that were accepted finish, tells every client, and closes.
    ///
    /// At once, new calls are answered `going-away`, new packets are dropped, and producers of streams learn from
    /// [`StreamSender::closed`](crate::StreamSender::closed) that they should come to an end. A connection is closed when
    /// nothing of it is left to do; its client learns when to come back, each another time
    /// ([`come_back`](super::ServerBuilder::come_back)). Clients that are not let in yet, because their handshake or connect
    /// handler is under way, are told the same and closed.
    ///
    /// The last second of the grace, or a quarter of it if that is less, is for the last words: when it begins, handlers
    /// that still run are dropped, also those marked `finish`. So a call that a handler has answered is answered for its
    /// caller, too, unless that does not read. Ready when everything is gone, and never later than `grace`: what is left
    /// then, for example because its peer does not read, is let go of, and only disconnect handlers that wait run on.
    /// A handler that blocks its thread, instead of waiting, cannot be ended by anybody; the shutdown does not wait for
    /// it longer than `grace` if there is another thread for it to run on. A grace of zero cuts everything off on the
    /// spot.
    ///
    /// A second shutdown does not begin anew: of the two, what ends earlier counts, and both give the same account.
    ///
    /// A handler that waits for this waits for itself: it is dropped with those that still run, and the shutdown goes on.
    /// Better it spawns a task that waits.
    ///
    /// # Cancel safety
    ///
    /// Once it was polled, the shutdown goes on to its end even if the future is dropped.
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        Ending::begin_or_hurry(&self.core, Plan::within(grace)).wait().await
    }

    /// Waits until the server has ended: it accepts nothing any more, and every connection's disconnect handler is done.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn closed(&self) {
        self.core.tasks.wait().await;
    }

    /// Every connection.
    #[must_use]
    pub fn hub(&self) -> Hub<P> {
        self.hub.clone()
    }

    /// How many bytes are held for the connections now, of those that
    /// [`max_memory`](super::ServerBuilder::max_memory) allows. A connection tells of a change only when it is 4 KiB or more, or when
    /// it holds nothing any more.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.core.budget.as_ref().map_or(0, |budget| budget.used())
    }
}

impl<P: Phase> Clone for ServerHandle<P> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), hub: self.hub.clone() }
    }
}

impl<P: Phase> fmt::Debug for ServerHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl<P: Phase, A: fmt::Debug> fmt::Debug for Server<P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("local_addr", &self.local_addr).field("hub", &self.handle.hub).finish()
    }
}
