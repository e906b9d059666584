//! The client's end of a connection.

#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

#[cfg(feature = "tls")]
use pnet_protocol::key::FingerprintError;

use pnet_protocol::{
    close::CloseCode,
    dialect::Dialect,
    handshake::ShapePolicy,
    id::ConnectionId,
    json::{JsonReader, JsonWriter},
    key::Fingerprint,
    limits::{Limits, UNCREDITED_PACKETS},
    protocol::{Answered, ClientSends, ClientSide, OneWay, Phase, Protocol, ProtocolInfo, Role, Streamed},
    wire::{Reader, Writer},
};
use tokio::{sync::watch, time::timeout_at};
use tracing::Instrument;

#[cfg(feature = "tls")]
use crate::identity::Identity;
use crate::{
    call::{self, Calling, Sending},
    config,
    connection::{
        Conn,
        driver::{Dispatch, Driver, Opening},
        join::Joining,
        lanes::Pool,
        served::Served,
    },
    context::{Link, Shared},
    error::{CallError, Closed, ClosedBy, ConnectError, TrySendError},
    extract::Connects,
    hub::HubCore,
    inbox::{self, Feed, Inbox, Receive},
    json::Json,
    reconnect::{self, Line, LinkState, Route},
    service::Service,
    stream::Streaming,
    transport::{
        PeerAddr, Transport,
        driven::{Driven, Plain},
        tcp::{self, Address},
        tls::{ClientTls, Connector},
    },
};

/// Connects with handlers: `actions! { pub client … }` made the service, `state` is what its handlers share.
///
/// # Examples
///
/// ```no_run
/// # use pnet::{Packet, protocol, actions};
/// # use serde::{Serialize, Deserialize};
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Told { n: u8 }
/// # protocol! { pub Quiz { client { Ask -> Told } } }
/// # actions! { pub client Ui for Quiz: }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let quiz = pnet::connect(Ui, ()).to(pnet::DEFAULT_ADDRESS).await?;
/// let Told { n } = quiz.call(Ask { n: 1 }).await?;
/// quiz.close().await;
/// # Ok(()) }
/// ```
pub fn connect<S>(service: S, state: impl Into<Arc<S::State>>) -> ClientBuilder<S>
where
    S: Service,
    S::Side: Connects,
{
    let _ = service;
    ClientBuilder { state: state.into(), config: ClientConfig::default() }
}

/// Connects without handlers: what the server sends is read from an [`Inbox`].
///
/// # Examples
///
/// ```no_run
/// # use pnet::{Packet, protocol};
/// # use serde::{Serialize, Deserialize};
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Tick { n: u8 }
/// # protocol! { pub Clock { client { } server { Tick } } }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (clock, mut inbox) = pnet::connect_inbox::<Clock>().to(pnet::DEFAULT_ADDRESS).await?;
/// while let Some(packet) = inbox.recv().await {
///     match packet {
///         ClockFromServer::Tick(tick) => println!("{}", tick.n),
///     }
/// }
/// println!("{}", clock.closed().await);
/// # Ok(()) }
/// ```
pub fn connect_inbox<P: Receive<ClientSide>>() -> InboxBuilder<P> {
    InboxBuilder { config: ClientConfig::default(), protocol: PhantomData }
}

/// How to connect with handlers; made by [`connect`].
#[must_use = "nothing is connected before `to` or `over` is awaited"]
pub struct ClientBuilder<S: Service> {
    pub(crate) state: Arc<S::State>,
    pub(crate) config: ClientConfig,
}

/// How to connect with an inbox; made by [`connect_inbox`].
#[must_use = "nothing is connected before `to` or `over` is awaited"]
pub struct InboxBuilder<P> {
    pub(crate) config: ClientConfig,
    protocol: PhantomData<fn() -> P>,
}

#[derive(Clone, Debug)]
pub(crate) struct ClientConfig {
    pub(crate) limits: Limits,
    pub(crate) dialect: Dialect,
    credentials: Vec<u8>,
    call_timeout: Option<Duration>,
    pub(crate) handshake_timeout: Duration,
    heartbeat_ms: u32,
    pub(crate) plaintext_on_network: bool,
    plaintext_credentials: bool,
    pub(crate) tls: ClientTls,
    /// Whom to trust, once that is settled; plain text if nobody was named.
    connector: Option<Arc<Connector>>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            dialect: Dialect::Native,
            credentials: Vec::new(),
            call_timeout: Some(config::CALL),
            handshake_timeout: config::HANDSHAKE,
            heartbeat_ms: 0,
            plaintext_on_network: false,
            plaintext_credentials: false,
            tls: ClientTls::default(),
            connector: None,
        }
    }
}

impl ClientConfig {
    /// Settles whom to trust, before anything is connected to.
    pub(crate) async fn settle_trust(&mut self) -> Result<(), ConnectError> {
        self.connector = self.tls.connector().await?;
        Ok(())
    }

    /// Whether connections may leave this machine, once the trust is settled.
    pub(crate) const fn may_go_beyond_loopback(&self) -> bool {
        self.plaintext_on_network || self.connector.is_some()
    }
}

/// A transport to a server.
pub(crate) struct Dialed {
    io: Box<dyn Driven>,
    peer: PeerAddr,
    /// What the server is called: as it was dialled, or its address.
    name: String,
}

impl Dialed {
    pub(crate) fn new(io: impl Transport, peer: PeerAddr, name: Option<String>) -> Self {
        let name = name.unwrap_or_else(|| peer.to_string());
        Self { io: Box::new(Plain(io)), peer, name }
    }
}

/// The settings that both builders have.
macro_rules! settings {
    () => {
        /// What this side takes from the server: frame length, open calls, unhandled packets. See [`Limits`]; more than
        /// 32,768 calls or packets are lowered to that.
        pub fn limits(mut self, limits: Limits) -> Self {
            self.config.limits = config::bounded(limits);
            self
        }

        /// How packets look on this connection: native unless this says otherwise. The packets, the handlers and the
        /// promises are the same in both dialects.
        ///
        /// [`Dialect::Json`] is for servers that are not made with pnet, and for reading along. Such a client listens for
        /// 0.2 s whether the server speaks first, as the Python library's does; then it says `handShake`, and after 2 s
        /// without an answer takes the server for one that has no handshake. Answers without `re` are told by their
        /// action, and a server of the old form is sent one packet at a time: `docs/wire.md` §11.7.
        pub const fn dialect(mut self, dialect: Dialect) -> Self {
            self.config.dialect = dialect;
            self
        }

        /// What the server's [`authenticate`](crate::ServerBuilder::authenticate) gets; at most 1 KiB, longer ones are
        /// refused by the server. In JSON they are text: others are a [`ConnectError::Credentials`].
        ///
        /// Without TLS they would travel in plain text. Beyond this machine that is a
        /// [`ConnectError::PlaintextCredentials`], unless it is [allowed](Self::plaintext_credentials).
        pub fn credentials(mut self, credentials: impl Into<Vec<u8>>) -> Self {
            self.config.credentials = credentials.into();
            self
        }

        /// How long a call waits for its answer unless it says otherwise: 30 s by default, `None` for as long as the
        /// connection lives.
        pub const fn call_timeout(mut self, timeout: Option<Duration>) -> Self {
            self.config.call_timeout = timeout;
            self
        }

        /// How long the server may take to welcome this client, its connect handler included; 5 s by default.
        pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
            self.config.handshake_timeout = timeout;
            self
        }

        /// How often this client wishes each side of the connection to speak at least, from 1 s to 1 h. The server takes
        /// the shorter of this and its own [`heartbeat`](crate::ServerBuilder::heartbeat), unless that is off.
        /// [`Duration::ZERO`], the default, is no wish.
        ///
        /// Who is not heard for three times as long is gone: the connection ends with
        /// [`CloseCode::Timeout`](crate::CloseCode::Timeout).
        pub fn heartbeat(mut self, every: Duration) -> Self {
            self.config.heartbeat_ms = config::heartbeat_ms(every);
            self
        }

        /// Allows a server beyond loopback, although everything travels in plain text.
        pub const fn plaintext_on_network(mut self) -> Self {
            self.config.plaintext_on_network = true;
            self
        }

        /// Allows [credentials](Self::credentials) to travel in plain text beyond this machine, where whoever stands between
        /// can read and use them.
        pub const fn plaintext_credentials(mut self) -> Self {
            self.config.plaintext_credentials = true;
            self
        }

        /// Shows this key to the server (RFC 7250), which knows the client by it: [`Peer::key`](crate::Peer::key). Goes with
        /// [`pin`](Self::pin), [`known_hosts`](Self::known_hosts), [`roots`](Self::roots) or
        /// [`system_roots`](Self::system_roots), since a key is shown to a server that is trusted.
        #[cfg(feature = "tls")]
        pub fn identity(mut self, identity: Identity) -> Self {
            self.config.tls.identity = Some(identity);
            self
        }

        /// Connects with TLS, to a server that has this key: a [`Fingerprint`], or its text (`"SHA256:…"`), which the server
        /// prints. Of several any will do, so that a new key can be pinned before the server takes it.
        ///
        /// A text that is no fingerprint is an error of connecting. Pins exclude other ways to trust.
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # use pnet::{Packet, protocol, actions};
        /// # use serde::{Serialize, Deserialize};
        /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
        /// # protocol! { pub Quiz { client { Ask } } }
        /// # actions! { pub client Ui for Quiz: }
        /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
        /// let quiz = pnet::connect(Ui, ())
        ///     .pin("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
        ///     .to("quiz.example.com:25565")
        ///     .await?;
        /// # drop(quiz);
        /// # Ok(()) }
        /// ```
        #[cfg(feature = "tls")]
        pub fn pin<F>(mut self, fingerprint: F) -> Self
        where
            F: TryInto<Fingerprint>,
            F::Error: Into<FingerprintError>,
        {
            self.config.tls.pin(fingerprint.try_into().map_err(Into::into));
            self
        }

        /// Connects with TLS, to a server whose key is in this file; a server that is not in it is trusted once, and its key
        /// is stored. From then on another key is an error that names both, as with SSH.
        ///
        /// A line is `HOST:PORT SHA256:…`, with the server as it was dialled. The file and its folder have to be writable:
        /// a key that cannot be stored is an error. Lines that cannot be read are kept and warned of. Several programs may
        /// use one file at the same time.
        ///
        /// The first contact proves nothing: compare what was stored with what the server prints. A client that
        /// [reconnects](Self::reconnect) keeps to the first key that it has seen, whatever becomes of the file.
        #[cfg(feature = "tls")]
        pub fn known_hosts(mut self, file: impl Into<PathBuf>) -> Self {
            self.config.tls.known_hosts = Some(file.into());
            self
        }

        /// Connects with TLS, to a server with a certificate that one of these authorities has issued, in PEM. Several calls
        /// add up.
        ///
        /// The certificate has to be for the host that is connected to, or for the [`server_name`](Self::server_name).
        #[cfg(feature = "tls")]
        pub fn roots(mut self, pem: impl AsRef<[u8]>) -> Self {
            self.config.tls.roots.push(pem.as_ref().to_owned());
            self
        }

        /// The same with the authorities that this system trusts. On Linux they come with the package `ca-certificates`;
        /// `SSL_CERT_FILE` names others.
        #[cfg(feature = "tls")]
        pub const fn system_roots(mut self) -> Self {
            self.config.tls.system_roots = true;
            self
        }

        /// Trusts the server in this process, unless whom to trust was said.
        pub(crate) fn trusting(self, key: Option<Fingerprint>) -> Self {
            let config = ClientConfig { tls: self.config.tls.trusting_by_default(key), ..self.config };
            Self { config, ..self }
        }

        /// Which name, or IP address, the server's certificate has to be for, if it is not the host that is connected to.
        #[cfg(feature = "tls")]
        pub fn server_name(mut self, name: impl Into<String>) -> Self {
            self.config.tls.server_name = Some(name.into());
            self
        }
    };
}

impl<S: Service> ClientBuilder<S> {
    settings!();

    /// Connects over TCP.
    ///
    /// Nothing that the server sends reaches a handler before the handshake is done, which is when this returns.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: the address cannot be reached or is beyond loopback, the server speaks something else or
    /// another version of the protocol (the error names what differs), it refused, or it took too long.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn to<P>(mut self, address: impl Address) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        self.config.settle_trust().await?;
        let name = address.to_name();
        let (io, peer) = tcp::connect(address, self.config.may_go_beyond_loopback()).await?;
        self.open(Dialed::new(io, peer, Some(name))).await
    }

    /// Connects over a transport that exists already; `peer` says who is at its other end, and what the server is called where
    /// TLS has to know that.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt and the transport.
    pub async fn over<P>(mut self, io: impl Transport, peer: PeerAddr) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        self.config.settle_trust().await?;
        self.open(Dialed::new(io, peer, None)).await
    }

    async fn open<P>(self, dialed: Dialed) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        let places = places(&self.config.limits);
        let state = self.state;
        let mut dispatch = |conn| -> Box<dyn Dispatch> {
            let shared =
                Arc::new(Shared { state: Arc::clone(&state), hub: Arc::new(HubCore::default()), pool: Pool::new() });
            let link = Arc::new(Link { shared, conn, member: std::sync::OnceLock::new() });
            Box::new(Served::<S>::new(link, places))
        };
        open(dialed, self.config, S::Protocol::INFO, &mut dispatch).await.map(Client::opened)
    }
}

impl<Pr: Receive<ClientSide>> InboxBuilder<Pr> {
    settings!();

    /// Connects over TCP.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::to`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn to<P>(mut self, address: impl Address) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        self.config.settle_trust().await?;
        let name = address.to_name();
        let (io, peer) = tcp::connect(address, self.config.may_go_beyond_loopback()).await?;
        self.open(Dialed::new(io, peer, Some(name))).await
    }

    /// Connects over a transport that exists already; `peer` says who is at its other end, and what the server is called where
    /// TLS has to know that.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::to`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt and the transport.
    pub async fn over<P>(mut self, io: impl Transport, peer: PeerAddr) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        self.config.settle_trust().await?;
        self.open(Dialed::new(io, peer, None)).await
    }

    async fn open<P>(self, dialed: Dialed) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        let (items, inbox) = inbox::channel(inbox_places(&self.config.limits, self.config.dialect));
        let mut dispatch = |conn| -> Box<dyn Dispatch> { Box::new(Feed::<Pr>::new(items.clone(), conn)) };
        let conn = open(dialed, self.config, Pr::INFO, &mut dispatch).await?;
        Ok((Client::opened(conn), inbox))
    }
}

/// The handshake, and the driver's start as the very last thing. The connection is counted as a client's by then, who is to
/// be made with [`Client::opened`].
pub(crate) async fn open(
    dialed: Dialed,
    config: ClientConfig,
    info: &'static ProtocolInfo,
    dispatch: &mut (dyn FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send),
) -> Result<Arc<Conn>, ConnectError> {
    let Dialed { mut io, peer, name } = dialed;
    let after = config.handshake_timeout;
    let deadline = config::after(after);
    let mut key = None;
    if let Some(connector) = &config.connector {
        // It is large, and those who speak plain text have no place for it.
        let secured = timeout_at(deadline, Box::pin(connector.connect(io, &name))).await;
        let secured = secured.map_err(|_| ConnectError::TimedOut { after })??;
        (io, key) = (secured.io, secured.key);
    } else if !(config.credentials.is_empty() || peer.is_local() || config.plaintext_credentials) {
        return Err(ConnectError::PlaintextCredentials);
    }
    // What the server's schema looks like is its own business; what this side's looks like is told on the same terms.
    let trusted = config.connector.is_some() || peer.is_local();
    let shapes = if trusted { ShapePolicy::Shapes } else { ShapePolicy::Names };
    let mut joining = Joining::new(io);
    let shaken = match config.dialect {
        Dialect::Json => timeout_at(deadline, shake_json(&mut joining, info, &config)).await,
        _ => timeout_at(deadline, shake(&mut joining, info, &config, shapes)).await,
    };
    let (id, reader, writer, heartbeat_ms) = match shaken {
        Ok(Ok(shaken)) => shaken,
        Ok(Err(error)) => {
            joining.last_words().await;
            return Err(error);
        }
        Err(_) => return Err(ConnectError::TimedOut { after }),
    };
    let who = (peer, key);
    let conn = Conn::new(id, who, (Role::Client, info), (writer, &config.limits), config.call_timeout, None);
    let opening = Opening {
        io: joining.io,
        role: Role::Client,
        reader,
        grace: config::GRACE,
        welcome: Vec::new(),
        preface_len: 0,
        tail: joining.tail,
        deadline: config::after(config.handshake_timeout),
        silent: None,
        heartbeat: config::every(heartbeat_ms),
    };
    conn.add_client();
    let driver = Driver::new(opening, Arc::clone(&conn), dispatch(Arc::clone(&conn)));
    let span = tracing::debug_span!("connection", %id, peer = %conn.addr, dialect = %config.dialect, role = "client");
    // A span that nobody looks at is entered and left for each batch all the same.
    if span.is_disabled() {
        tokio::spawn(driver);
    } else {
        tokio::spawn(driver.instrument(span));
    }
    Ok(conn)
}

/// With the heartbeat that the server has announced.
type Shaken = (ConnectionId, Reader, Writer, u32);

async fn shake(
    joining: &mut Joining,
    info: &'static ProtocolInfo,
    config: &ClientConfig,
    shapes: ShapePolicy,
) -> Result<Shaken, ConnectError> {
    let welcomed = joining.client(info, &config.credentials, &config.limits, shapes, config.heartbeat_ms).await?;
    let reader = Reader::native(&config.limits, &info.server);
    Ok((welcomed.connection_id, reader, Writer::native(&welcomed.limits), welcomed.heartbeat_ms))
}

async fn shake_json(
    joining: &mut Joining,
    info: &'static ProtocolInfo,
    config: &ClientConfig,
) -> Result<Shaken, ConnectError> {
    let credentials = str::from_utf8(&config.credentials).map_err(|_| ConnectError::Credentials)?;
    let welcome = joining.json_client(info, credentials, &config.limits, config.heartbeat_ms).await?;
    let reader = JsonReader::client(info, &config.limits, welcome.form);
    let writer = JsonWriter::client(info, &welcome);
    // A server of the old form names no connections.
    let id = welcome.connection_id.unwrap_or_else(ConnectionId::random);
    Ok((id, Reader::Json(Box::new(reader)), Writer::Json(Box::new(writer)), welcome.heartbeat_ms))
}

/// As many handlers as the limits let the peer keep busy.
pub(crate) const fn places(limits: &Limits) -> usize {
    limits.calls as usize + limits.streams as usize + limits.packets as usize
}

/// As many packets and calls as may wait in an inbox. In JSON there is no credit, so there are more of them.
pub(crate) const fn inbox_places(limits: &Limits, dialect: Dialect) -> usize {
    let packets = match dialect {
        Dialect::Json => limits.packets.saturating_mul(UNCREDITED_PACKETS),
        _ => limits.packets,
    };
    limits.calls as usize + limits.streams as usize + packets as usize
}

/// The client's end of a connection: sends what the `client { … }` list of the protocol allows.
///
/// Cheap to clone. When the last clone is dropped, what was accepted is finished and the connection closes; to be sure
/// that it has been written before the program ends, await [`close`](Self::close).
pub struct Client<P: Phase> {
    way: Way,
    phase: PhantomData<fn() -> P>,
}

/// What a client talks on.
enum Way {
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
            Way::Conn(conn) => reconnect::states_of(conn),
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
                conn.request_drain(closed, config::after(config::GRACE));
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
        self.conn().out().rtt()
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

impl<S: Service> fmt::Debug for ClientBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for InboxBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxBuilder").finish_non_exhaustive()
    }
}
