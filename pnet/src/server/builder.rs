//! How a server is set up, and begins.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use pnet_protocol::{
    dialect::Dialect,
    key::Fingerprint,
    limits::Limits,
    protocol::{Phase, Protocol},
};
use tokio::runtime::Handle;

use super::{
    Core,
    admission::Clients,
    config::{Dialects, ServerConfig},
    handle::{Server, ServerHandle},
    live,
    serving::Serving,
};
use crate::{
    config,
    connection::{budget::Budget, half_open::WaitingRoom, registry::HubCore},
    error::{BindError, Refused},
    hub::Hub,
    service::{
        Service,
        bounds::Serves,
        context::{Shared, pool::Pool},
    },
    transport::{
        Listener, PeerAddr, TlsPolicy,
        tcp::{self, Address},
        tls::Acceptor,
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
    pub(super) config: ServerConfig,
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
        let counts = self.config.counts(S::Protocol::INFO);
        #[cfg(not(feature = "inspect"))]
        let counts = crate::counts::Counts::default();
        let core = Arc::new_cyclic(|core| Core {
            come_back: OnceLock::from(self.config.come_back),
            budget: Some(Arc::new(Budget::new(self.config.max_memory, live(core), counts.clone()))),
            waiting: Arc::new(WaitingRoom::new(counts.clone())),
            runtime: OnceLock::from(Handle::current()),
            acceptor: OnceLock::from(Arc::clone(&acceptor)),
            #[cfg(feature = "console")]
            detaching: OnceLock::from(super::detaching::Detaching::new(&shared, self.config.call_timeout)),
            counts,
            ..Core::default()
        });
        let server = Serving::new::<S>(shared, self.config, acceptor, Arc::clone(&core));
        #[cfg(feature = "inspect")]
        let _ = core.observed.set(super::observed::Observed::new(&local_addr, &server.authentication.at_once));
        core.tasks.spawn(server.accept(listener));
        let handle = ServerHandle { core, hub: Hub::from_core(self.hub) };
        Server { handle, local_addr, grace, closes: true }
    }
}

impl<S: Service> fmt::Debug for ServerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}

#[cfg(feature = "inspect")]
impl<S: Service> ServerBuilder<S> {
    /// Says by which name a [`Snapshot`](crate::inspect::Snapshot) shows who is there: `name` makes it of what the handler under
    /// `#[action(authenticate)]` has made, if that is a `T`. Without this, snapshots say nothing about users.
    ///
    /// It is asked once, when the connection is opened. The text is cut at 64 bytes; after a panic there is none. It goes to
    /// whoever looks into the server, so it should be a name and no secret.
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
    /// struct Player { name: String }
    ///
    /// let builder = pnet::serve(QuizServer, ()).person(|player: &Player| player.name.clone());
    /// # drop(builder);
    /// ```
    pub fn person<T: std::any::Any>(mut self, name: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.config.person = super::observed::Person::new(move |user| user.get::<T>().map(&name));
        self
    }
}
