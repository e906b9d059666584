//! Servers: accept transports, shake hands, run a driver for each connection, and end all of it in good order.

mod accept;
mod admission;
mod authentication;
mod budget;
mod ending;
mod greet;
#[cfg(feature = "inspect")]
mod inspected;
#[cfg(feature = "console")]
mod operated;
mod penalties;
#[cfg(feature = "tls")]
mod tls;
mod waiting;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::AtomicUsize},
    time::Duration,
};

use pnet_protocol::{
    dialect::Dialect,
    json::OLD_PACKET_BYTES,
    key::Fingerprint,
    limits::Limits,
    protocol::{Phase, Protocol},
};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    accept::Serving,
    admission::Clients,
    ending::{Ending, Plan},
    waiting::WaitingRoom,
};
pub use self::{admission::TlsPolicy, ending::Shutdown};
pub(crate) use self::{
    budget::{Account, Budget},
    waiting::Waiting,
};
use crate::{
    config,
    connection::{lanes::Pool, registry::Roll},
    context::Shared,
    counts::Counts,
    error::{BindError, Refused},
    extract::Serves,
    hub::{Hub, HubCore},
    service::Service,
    transport::{
        Listener, PeerAddr,
        tcp::{self, Address},
        tls::{Acceptor, ServerTls},
    },
};

/// Serves with handlers: `actions! { pub server … }` made the service, `state` is what its handlers share.
///
/// # Examples
///
/// ```
/// # use pnet::{Packet, protocol, actions, action};
/// # use serde::{Serialize, Deserialize};
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Told { n: u8 }
/// # protocol! { pub Quiz { client { Ask -> Told } } }
/// # #[action("ASK")] fn ask(p: Ask) -> Told { Told { n: p.n } }
/// # actions! { pub server QuizServer for Quiz: ask }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = pnet::serve(QuizServer, ()).bind("127.0.0.1:0").await?;
/// println!("listening on {}", server.local_addr());
/// # let stop = async {};
/// server.run_until(stop).await; // `pnet::ctrl_c()`, for one
/// # Ok(()) }
/// ```
pub fn serve<S>(service: S, state: impl Into<Arc<S::State>>) -> ServerBuilder<S>
where
    S: Service,
    S::Side: Serves,
{
    let _ = service;
    ServerBuilder { state: state.into(), hub: Arc::default(), config: ServerConfig::default() }
}

/// How to serve; made by [`serve`].
#[must_use = "nothing is served before `bind` or `listen`"]
pub struct ServerBuilder<S: Service> {
    state: Arc<S::State>,
    hub: Arc<HubCore>,
    config: ServerConfig,
}

struct ServerConfig {
    limits: Limits,
    dialects: Dialects,
    old_clients: bool,
    old_packet_bytes: u32,
    max_authenticating: usize,
    call_timeout: Option<Duration>,
    handshake_timeout: Duration,
    grace: Duration,
    heartbeat_ms: u32,
    come_back: Duration,
    max_connections: usize,
    max_memory: usize,
    plaintext_on_network: bool,
    tls: ServerTls,
    clients: Clients,
    #[cfg(feature = "inspect")]
    person: inspected::Person,
}

/// Which dialects are spoken.
#[derive(Clone, Copy, Debug)]
struct Dialects {
    native: bool,
    json: bool,
}

impl<S: Service> ServerBuilder<S> {
    /// Uses a hub that was made before, so that the state can hold it, too.
    pub fn hub<P: Phase<Protocol = S::Protocol>>(mut self, hub: Hub<P>) -> Self {
        self.hub = hub.into_core();
        self
    }

    /// What this side takes from a client: frame length, open calls, unhandled packets. See [`Limits`]; more than 32,768
    /// calls or packets are lowered to that.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = config::bounded(limits);
        self
    }

    /// Which dialects clients may speak: both, unless this says otherwise. The client chooses, by its first byte; one that
    /// chooses what is not among these is told so and closed. Of no dialects at all, nobody gets in.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Packet, protocol, actions, action, Dialect};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
    /// # protocol! { pub Quiz { client { Ask } } }
    /// # #[action("ASK")] fn ask(_: Ask) {}
    /// # actions! { pub server QuizServer for Quiz: ask }
    /// let builder = pnet::serve(QuizServer, ()).dialects([Dialect::Native]);
    /// # drop(builder);
    /// ```
    pub fn dialects(mut self, dialects: impl IntoIterator<Item = Dialect>) -> Self {
        self.config.dialects = Dialects { native: false, json: false };
        for dialect in dialects {
            match dialect {
                Dialect::Json => self.config.dialects.json = true,
                _ => self.config.dialects.native = true,
            }
        }
        self
    }

    /// Whether the server speaks first to clients from beyond this machine that say nothing for 2 s, as the Python
    /// library's server does: off unless this says otherwise. To such clients on this machine it always does, if it
    /// speaks JSON.
    ///
    /// A client that was spoken to first, and one whose first packet is a `handShake` of that library, gets answers to what
    /// it asks and nothing else: `docs/wire.md` §11.6.
    pub const fn old_clients(mut self, speak_first: bool) -> Self {
        self.config.old_clients = speak_first;
        self
    }

    /// How many bytes an answer to such a client may have, the line end included: 1,024 unless this says otherwise, as much as
    /// the Python library reads at a time, and at least 256. A longer answer is replaced by the failure `too-long`.
    pub const fn old_packet_bytes(mut self, bytes: u32) -> Self {
        self.config.old_packet_bytes = bytes;
        self
    }

    /// How many runs of the handler under `#[action(authenticate)]` there may be at once; by default twice as many as the
    /// machine has cores, and at least 4. 0 is taken as 1. Others wait for their turn, within the
    /// [`handshake_timeout`](Self::handshake_timeout); where many wait, the oldest are closed.
    ///
    /// So a crowd that logs in with slow password hashes leaves the machine some time for those who are in. A hash belongs on
    /// [`spawn_blocking`](tokio::task::spawn_blocking): on the threads that move packets it keeps all others waiting. Each run
    /// is one thread that computes then, and the more there are beside those of the connections, the later these have their
    /// turn. A handler that only asks a database may have many more.
    ///
    /// A run that takes too long is dropped and does not count any more. A hash that it has begun on another thread goes on.
    pub const fn max_authenticating(mut self, at_once: usize) -> Self {
        self.config.max_authenticating = at_once;
        self
    }

    /// How long a call to a client waits for its answer unless it says otherwise: 30 s by default, `None` for as long
    /// as the connection lives.
    pub const fn call_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.config.call_timeout = timeout;
        self
    }

    /// How long handshake, finding out who the client is, and connect handler may take together; 5 s by default.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.handshake_timeout = timeout;
        self
    }

    /// How long accepted work may take when its client has ended its stream, and what
    /// [`run_until`](Server::run_until) gives a shutdown; 10 s by default.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// How often each side of a connection speaks at least; 15 s by default, at least 1 s and at most 1 h. A client may
    /// ask for less. Who has nothing to say sends a ping; who is not heard for three times as long is gone, and the
    /// connection ends with [`CloseCode::Timeout`](crate::CloseCode::Timeout). With [`Duration::ZERO`] no signs of life are
    /// sent or expected.
    ///
    /// JSON clients that were not made with pnet may be silent for as long as they like.
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.config.heartbeat_ms = config::heartbeat_ms(every);
        self
    }

    /// After what time clients may come back when the server shuts down; 1 s by default. They are told different times,
    /// this one and later, so that no more than 100 a second come back.
    pub const fn come_back(mut self, after: Duration) -> Self {
        self.config.come_back = after;
        self
    }

    /// How many connections there may be; 10,000 by default. One more is closed as `overloaded`.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// How many bytes the server may hold for all its connections together; 512 MiB by default, at least 1 MiB. What counts
    /// is what waits to be written and what was received and not handled yet; a broadcast's packet counts once, however many
    /// queues it waits in. What handlers and the program itself hold does not, nor do the system's own buffers.
    ///
    /// From three quarters on, nothing is read from clients, unless this side waits for something of theirs: whoever sends
    /// has to wait, and that does not count as silence. At the whole of it, packets and calls of this side find their queue
    /// full, and the connection that holds most is closed as `slow-consumer`, then the next, until it is less. The
    /// same happens, one connection a second, if three quarters are held for 10 s.
    pub const fn max_memory(mut self, bytes: usize) -> Self {
        self.config.max_memory = bytes;
        self
    }

    /// Allows plain text beyond loopback: addresses that are reachable from there, where the server has no TLS; and clients
    /// from there, where TLS is [`Optional`](TlsPolicy::Optional).
    pub const fn plaintext_on_network(mut self) -> Self {
        self.config.plaintext_on_network = true;
        self
    }

    /// Lets only clients in that have one of these keys. Others, and those without a key, are closed as
    /// [`unauthorized`](crate::CloseCode::Unauthorized) with a reason, after the handshake of TLS and before anything else
    /// is read from them.
    ///
    /// A key is what TLS has proved (the client has set its [`identity`](crate::ClientBuilder::identity)), or a
    /// [`Listener`] of your own. Of `clients` and [`clients_by`](Self::clients_by), the last counts.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Fingerprint, FingerprintError, Packet, protocol, actions, action};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
    /// # protocol! { pub Quiz { client { Ask } } }
    /// # #[action("ASK")] fn ask(_: Ask) {}
    /// # actions! { pub server QuizServer for Quiz: ask }
    /// # fn main() -> Result<(), FingerprintError> {
    /// let ada: Fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".parse()?;
    /// let builder = pnet::serve(QuizServer, ()).clients([ada]);
    /// # drop(builder);
    /// # Ok(()) }
    /// ```
    pub fn clients(mut self, keys: impl IntoIterator<Item = Fingerprint>) -> Self {
        self.config.clients = Clients::Listed(keys.into_iter().collect());
        self
    }

    /// Lets only clients in whose key `check` is fine with: it may look into a database. Clients without a key are not asked
    /// about; they are closed as [`unauthorized`](crate::CloseCode::Unauthorized), as are those that are refused, with the
    /// reason that it gives.
    ///
    /// It runs after the handshake of TLS and before anything else is read from the client, and has what is left of the
    /// [`handshake_timeout`](Self::handshake_timeout). A client that reconnects does not come back after a refusal, unless that
    /// [says so](Refused::come_back): a panic in the check, and one that takes too long, ask it to come back after 1 s.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Packet, protocol, actions, action};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
    /// # protocol! { pub Quiz { client { Ask } } }
    /// # #[action("ASK")] fn ask(_: Ask) {}
    /// # actions! { pub server QuizServer for Quiz: ask }
    /// # async fn is_member(_: &str) -> bool { true }
    /// let builder = pnet::serve(QuizServer, ()).clients_by(|key, _addr| async move {
    ///     if is_member(&key.to_string()).await { Ok(()) } else { Err("you are no member".into()) }
    /// });
    /// # drop(builder);
    /// ```
    pub fn clients_by<F, Fut>(mut self, check: F) -> Self
    where
        F: Fn(Fingerprint, PeerAddr) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refused>> + Send + 'static,
    {
        self.config.clients = Clients::checked(check);
        self
    }

    /// Binds a TCP address and accepts from here on. Port 0 takes a free port, see [`Server::local_addr`].
    ///
    /// # Errors
    ///
    /// [`BindError`]: the address cannot be bound, or is beyond loopback and plain text was not allowed there; or the settings
    /// are about keys, and the server has none to show.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing is bound.
    pub async fn bind<P>(self, address: impl Address) -> Result<Server<P>, BindError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        if let Some(what) = self.config.contradicts_itself() {
            return Err(BindError::Settings { what });
        }
        let encrypted = self.config.tls.policy() != TlsPolicy::Off;
        let listener = tcp::bind(address, self.config.plaintext_on_network || encrypted).await?;
        Ok(self.listen(listener))
    }

    /// Accepts from any listener, from here on. Must be called in a tokio runtime. What [`bind`](Self::bind) refuses as
    /// contradictory lets nobody in here, unless the listener has keys of its own to tell
    /// ([`Connected::with_key`](crate::transport::Connected::with_key)).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn listen<P, L>(self, listener: L) -> Server<P, L::Addr>
    where
        L: Listener,
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        if self.config.tls.policy() != TlsPolicy::Off && self.config.tls.keys.are_none() {
            tracing::error!("TLS is wanted and there is nothing to show: set `.identity` or `.certificates`");
        }
        let local_addr = listener.local_addr();
        let grace = self.config.grace;
        let acceptor = Arc::new(Acceptor::new(&self.config.tls));
        let shared = Arc::new(Shared { state: self.state, hub: Arc::clone(&self.hub), pool: Pool::new() });
        #[cfg(feature = "inspect")]
        let counts = inspected::counts(&self.config, S::Protocol::INFO);
        #[cfg(not(feature = "inspect"))]
        let counts = Counts::default();
        let core = Arc::new_cyclic(|core| Core {
            come_back: OnceLock::from(self.config.come_back),
            budget: Some(Arc::new(Budget::new(self.config.max_memory, Weak::clone(core), counts.clone()))),
            waiting: Arc::new(WaitingRoom::new(counts.clone())),
            runtime: OnceLock::from(Handle::current()),
            acceptor: OnceLock::from(Arc::clone(&acceptor)),
            #[cfg(feature = "console")]
            detaching: OnceLock::from(operated::Detaching::new(&shared, self.config.call_timeout)),
            counts,
            ..Core::default()
        });
        let server = Serving::new::<S>(shared, self.config, acceptor, Arc::clone(&core));
        #[cfg(feature = "inspect")]
        let _ = core.observed.set(inspected::Observed::new(&local_addr, &server));
        core.tasks.spawn(server.accept(listener));
        let handle = ServerHandle { core, hub: Hub::from_core(self.hub) };
        Server { handle, local_addr, grace, closes: true }
    }
}

/// A running server. Dropping it closes every connection at once: handlers stop, and the clients learn that the server is
/// going away and when to come back, as with [`shutdown`](ServerHandle::shutdown), which lets them finish.
#[must_use = "dropping a server closes it"]
pub struct Server<P: Phase, A = SocketAddr> {
    handle: ServerHandle<P>,
    local_addr: A,
    grace: Duration,
    closes: bool,
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
    core: Arc<Core>,
    hub: Hub<P>,
}

impl<P: Phase> ServerHandle<P> {
    /// Stops accepting, lets the calls and packets that were accepted finish, tells every client, and closes.
    ///
    /// At once, new calls are answered `going-away`, new packets are dropped, and producers of streams learn from
    /// [`StreamSender::closed`](crate::StreamSender::closed) that they should come to an end. A connection is closed when
    /// nothing of it is left to do; its client learns when to come back, each another time
    /// ([`come_back`](ServerBuilder::come_back)). Clients that are not let in yet, because their handshake or connect
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
    /// [`max_memory`](ServerBuilder::max_memory) allows. A connection tells of a change only when it is 4 KiB or more, or when
    /// it holds nothing any more.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.core.budget.as_ref().map_or(0, |budget| budget.used())
    }
}

/// What belongs to a server whatever its service.
#[derive(Debug, Default)]
struct Core {
    /// Every open connection, joined or not.
    live: Mutex<Roll>,
    waiting: Arc<WaitingRoom>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// The shutdown that has begun.
    ending: Mutex<Option<Ending>>,
    /// Its grace is nearly over: whatever is left has to go.
    cut: CancellationToken,
    /// It is done.
    over: CancellationToken,
    /// Where its tasks run.
    runtime: OnceLock<Handle>,
    /// Does the handshakes of TLS.
    acceptor: OnceLock<Arc<Acceptor>>,
    /// When clients are told to come back after a shutdown, at the earliest.
    come_back: OnceLock<Duration>,
    /// How many connections there were when the end began, and how many were told when to come back.
    crowd: AtomicUsize,
    told: AtomicUsize,
    /// What the connections may hold.
    budget: Option<Arc<Budget>>,
    counts: Counts,
    #[cfg(feature = "inspect")]
    observed: OnceLock<inspected::Observed>,
    /// What handlers that operators run without a peer need.
    #[cfg(feature = "console")]
    detaching: OnceLock<operated::Detaching>,
}

impl Core {
    fn live(&self) -> MutexGuard<'_, Roll> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerConfig {
    /// What cannot be meant like this.
    fn contradicts_itself(&self) -> Option<&'static str> {
        if self.tls.policy() == TlsPolicy::Off {
            let asks = !self.clients.are_anyone();
            return asks.then_some(
                "clients prove their keys by TLS, which this server has not: set `.identity`, and not `TlsPolicy::Off`",
            );
        }
        self.tls.keys.are_none().then_some("TLS needs something to show: set `.identity` or `.certificates`")
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            dialects: Dialects { native: true, json: true },
            old_clients: false,
            old_packet_bytes: OLD_PACKET_BYTES,
            max_authenticating: config::authenticating(),
            call_timeout: Some(config::CALL),
            handshake_timeout: config::HANDSHAKE,
            grace: config::GRACE,
            come_back: config::COME_BACK,
            heartbeat_ms: config::heartbeat_ms(config::HEARTBEAT),
            max_connections: config::CONNECTIONS,
            max_memory: config::MEMORY,
            plaintext_on_network: false,
            tls: ServerTls::default(),
            clients: Clients::default(),
            #[cfg(feature = "inspect")]
            person: inspected::Person::default(),
        }
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

impl<S: Service> fmt::Debug for ServerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}
