//! Servers: accept transports, shake hands, run a driver for each connection, and end all of it in good order.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use pnet_protocol::{
    close::{Close, CloseCode},
    handshake::{ServerHandshake, ShapePolicy},
    id::{ConnectionId, SessionToken},
    limits::Limits,
    protocol::{Phase, Protocol, Role},
};
use tokio::net::ToSocketAddrs;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    client::places,
    config,
    connection::{
        Conn,
        driver::{Driver, Opening},
        join::{JoinError, Joining},
        lanes::Pool,
        served::Served,
    },
    context::{Link, Shared},
    error::{BindError, Closed, ClosedBy},
    extract::Serves,
    hub::{Hub, HubCore},
    service::Service,
    transport::{Listener, PeerAddr, Transport, tcp},
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
    authenticate: Option<Box<Authenticate>>,
    call_timeout: Option<Duration>,
    handshake_timeout: Duration,
    grace: Duration,
    max_connections: usize,
    plaintext_on_network: bool,
}

type Authenticate = dyn Fn(&[u8], &PeerAddr) -> bool + Send + Sync;

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

    /// Lets only those clients in whose credentials `accept` says yes to. It runs before anything else is told or
    /// dispatched; a panic in it is a no. Without it everybody is let in, whatever credentials they bring.
    ///
    /// Credentials travel in plain text. Who was accepted here is told the fields of packets that its build has
    /// differently; others learn that only on loopback.
    pub fn authenticate(mut self, accept: impl Fn(&[u8], &PeerAddr) -> bool + Send + Sync + 'static) -> Self {
        self.config.authenticate = Some(Box::new(accept));
        self
    }

    /// How long a call to a client waits for its answer unless it says otherwise: 30 s by default, `None` for as long
    /// as the connection lives.
    pub const fn call_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.config.call_timeout = timeout;
        self
    }

    /// How long handshake and connect handler may take together; 5 s by default.
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

    /// How many connections there may be; 10,000 by default. One more is closed as `overloaded`.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// Allows addresses beyond loopback, although everything travels in plain text.
    pub const fn plaintext_on_network(mut self) -> Self {
        self.config.plaintext_on_network = true;
        self
    }

    /// Binds a TCP address and accepts from here on. Port 0 takes a free port, see [`Server::local_addr`].
    ///
    /// # Errors
    ///
    /// [`BindError`]: the address cannot be bound, or is beyond loopback and that was not allowed.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing is bound.
    pub async fn bind<P>(self, address: impl ToSocketAddrs + fmt::Debug) -> Result<Server<P>, BindError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        let listener = tcp::bind(address, self.config.plaintext_on_network).await?;
        Ok(self.listen(listener))
    }

    /// Accepts from any listener, from here on. Must be called in a tokio runtime.
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
        let local_addr = listener.local_addr();
        let grace = self.config.grace;
        let core = Arc::new(Core::default());
        let server = Arc::new(Serving::<S> {
            shared: Arc::new(Shared { state: self.state, hub: Arc::clone(&self.hub), pool: Pool::new() }),
            config: self.config,
            core: Arc::clone(&core),
        });
        core.tasks.spawn(server.accept(listener));
        let handle = ServerHandle { core, hub: Hub::from_core(self.hub) };
        Server { handle, local_addr, grace, closes: true }
    }
}

/// A running server. Dropping it closes every connection; to let them finish, use [`shutdown`](ServerHandle::shutdown).
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
        self.handle.core.tasks.wait().await;
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

    /// Connections outlive the value: for servers in memory.
    pub(crate) const fn keep_open(mut self) -> Self {
        self.closes = false;
        self
    }
}

impl<P: Phase, A> Drop for Server<P, A> {
    fn drop(&mut self) {
        if self.closes {
            self.handle.core.stop.cancel();
            self.handle.core.tasks.close();
            for conn in self.handle.core.live().values() {
                conn.request_close(going_away());
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
    /// New calls are answered `going-away`; so a handler must not wait for this, as handlers are what is waited for. When `grace` is over, what still runs is dropped, `finish` handlers too;
    /// only disconnect handlers that wait run on. Ready when everything is gone, and never later than `grace`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the shutdown goes on, but nothing is cut off at the end of the grace.
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        let deadline = config::after(grace);
        self.core.stop.cancel();
        self.core.tasks.close();
        let conns: Vec<_> = self.core.live().values().cloned().collect();
        // The last words need some of the grace, too.
        let work = grace.saturating_sub((grace / 4).min(LAST_WORDS));
        let drain_until = config::after(work);
        for conn in &conns {
            conn.request_drain(going_away(), drain_until);
        }
        let done = tokio::time::timeout_at(deadline, self.core.tasks.wait()).await.is_ok();
        let left: Vec<_> = if done { Vec::new() } else { self.core.live().values().cloned().collect() };
        left.iter().for_each(|conn| conn.kill());
        Shutdown { finished: conns.len().saturating_sub(left.len()), cut_off: left.len() }
    }

    /// Every connection.
    #[must_use]
    pub fn hub(&self) -> Hub<P> {
        self.hub.clone()
    }
}

/// What a shutdown has done.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Connections that ended within the grace.
    pub finished: usize,
    /// Connections that were cut off when it was over.
    pub cut_off: usize,
}

/// What belongs to a server whatever its service.
#[derive(Debug, Default)]
struct Core {
    /// Every open connection, joined or not.
    live: Mutex<HashMap<ConnectionId, Arc<Conn>>>,
    half_open: Mutex<HalfOpen>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Core {
    fn live(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Conn>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server as its own tasks see it.
struct Serving<S: Service> {
    shared: Arc<Shared<S>>,
    config: ServerConfig,
    core: Arc<Core>,
}

impl<S: Service> Serving<S> {
    async fn accept(self: Arc<Self>, mut listener: impl Listener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.core.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((io, addr)) => {
                    let Some(place) = Place::take(&self.core, &addr) else {
                        tracing::warn!(%addr, "too many connections have not finished their handshake");
                        continue;
                    };
                    let span = tracing::debug_span!("handshake", %addr);
                    self.core.tasks.spawn(Arc::clone(&self).join(io, addr, place).instrument(span));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotConnected => {
                    // Whoever waits for the server's end waits for the connections that there are.
                    self.core.tasks.close();
                    return;
                }
                Err(error) => {
                    // Out of file descriptors, most likely; some will be free again.
                    tracing::error!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// The handshake of one transport; at its end the driver takes over, in a task of its own that is as small as
    /// possible.
    async fn join(self: Arc<Self>, io: impl Transport, addr: PeerAddr, place: Place) {
        let deadline = config::after(self.config.handshake_timeout);
        let mut joining = Joining::new(io);
        let mut machine = ServerHandshake::new(S::Protocol::INFO, &self.config.limits);
        let authorize = |credentials: &[u8]| self.authorize(credentials, &addr);
        let hello = tokio::select! {
            biased;
            () = self.core.stop.cancelled() => return,
            hello = tokio::time::timeout_at(deadline, joining.server(&mut machine, authorize)) => hello,
        };
        let hello = match hello {
            Ok(Ok(hello)) => hello,
            Ok(Err(JoinError::Broken(error))) => {
                tracing::debug!(%error, "the transport broke during the handshake");
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "no connection");
                joining.last_words().await;
                return;
            }
            Err(_) => {
                tracing::warn!("the handshake took too long");
                joining.timed_out(&mut machine).await;
                return;
            }
        };
        drop(place);
        let id = ConnectionId::random();
        let conn = Conn::new(id, addr, S::Protocol::INFO, &hello.limits, self.config.call_timeout);
        // Nothing was written yet: the welcome goes through the driver.
        conn.counters.bytes_received.add(joining.read);
        let Some(listed) = self.enlist(&conn) else {
            tracing::warn!("too many connections");
            joining.refuse(&mut machine, Close::new(CloseCode::Overloaded, "too many connections")).await;
            return;
        };
        let mut welcome = Vec::new();
        machine.welcome(id, &SessionToken::random(), config::HEARTBEAT_MS, &mut welcome);
        let link =
            Arc::new(Link { shared: Arc::clone(&self.shared), conn: Arc::clone(&conn), member: OnceLock::new() });
        let dispatch = Served::new(link, places(&self.config.limits));
        let span = tracing::debug_span!("connection", %id, peer = %conn.addr, role = "server");
        let opening = Opening {
            io: joining.io,
            role: Role::Server,
            limits: self.config.limits,
            times: config::times(self.config.grace),
            welcome,
            tail: joining.tail,
            deadline,
        };
        let driver = Driver::new(opening, conn, dispatch);
        self.core.tasks.spawn(async move {
            let _listed = listed;
            driver.run().instrument(span).await;
        });
    }

    /// How much of the schema the peer may learn, or `None` if it is not let in at all.
    fn authorize(&self, credentials: &[u8], addr: &PeerAddr) -> Option<ShapePolicy> {
        let Some(accept) = &self.config.authenticate else {
            return Some(if addr.is_local() { ShapePolicy::Shapes } else { ShapePolicy::Names });
        };
        let accepted = catch_unwind(AssertUnwindSafe(|| accept(credentials, addr))).unwrap_or_else(|_| {
            tracing::error!("`authenticate` panicked");
            false
        });
        accepted.then_some(ShapePolicy::Shapes)
    }

    /// Counts the connection in, if there is a place. A shutdown that began meanwhile reaches it, too.
    fn enlist(&self, conn: &Arc<Conn>) -> Option<Listed> {
        {
            let mut live = self.core.live();
            if live.len() >= self.config.max_connections {
                return None;
            }
            live.insert(conn.id, Arc::clone(conn));
        }
        if self.core.stop.is_cancelled() {
            conn.request_close(going_away());
        }
        Some(Listed { core: Arc::clone(&self.core), id: conn.id })
    }
}

/// A connection in the server's list, until this is dropped.
struct Listed {
    core: Arc<Core>,
    id: ConnectionId,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.core.live().remove(&self.id);
    }
}

/// Transports whose handshake is not done.
#[derive(Debug, Default)]
struct HalfOpen {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One of them; its place is free again when this is dropped.
struct Place {
    core: Arc<Core>,
    /// `None` for local peers, which have no limit of their own.
    address: Option<IpAddr>,
}

impl Place {
    fn take(core: &Arc<Core>, addr: &PeerAddr) -> Option<Self> {
        let address = addr.ip().filter(|_| !addr.is_local());
        {
            let mut half_open = core.half_open.lock().unwrap_or_else(PoisonError::into_inner);
            if half_open.all >= config::HALF_OPEN {
                return None;
            }
            if let Some(address) = address {
                let count = half_open.by_address.entry(address).or_default();
                if *count >= config::HALF_OPEN_PER_ADDRESS {
                    return None;
                }
                *count += 1;
            }
            half_open.all += 1;
        }
        Some(Self { core: Arc::clone(core), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut half_open = self.core.half_open.lock().unwrap_or_else(PoisonError::into_inner);
        half_open.all -= 1;
        if let Some(address) = self.address
            && let Some(count) = half_open.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                half_open.by_address.remove(&address);
            }
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            authenticate: None,
            call_timeout: Some(config::CALL),
            handshake_timeout: config::HANDSHAKE,
            grace: config::GRACE,
            max_connections: config::CONNECTIONS,
            plaintext_on_network: false,
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

fn going_away() -> Closed {
    Closed::new(CloseCode::GoingAway, "the server is shutting down", ClosedBy::Here)
}

const LAST_WORDS: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
