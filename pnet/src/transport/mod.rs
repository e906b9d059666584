//! Where bytes travel: anything ordered and reliable that tokio can read and write.
//!
//! A [`Transport`] is one such pipe, a [`Listener`] is where a server gets them from. A transport is made in three steps:
//! *accepted* by its listener, *connecting* while it does a handshake of its own ([`Connecting`]), and then a connection's.
//! TCP, Unix sockets and memory are built in, and TLS runs on top of any; the same driver serves all.

pub(crate) mod driven;
pub mod memory;
pub mod tcp;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
pub(crate) mod tls;
#[cfg(unix)]
pub mod unix;

use std::{
    any::Any,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use pnet_protocol::key::Fingerprint;
use tokio::io::{AsyncRead, AsyncWrite};

/// An ordered byte pipe. Implemented for everything that fits.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// A source of incoming transports, for [`listen`](crate::ServerBuilder::listen).
pub trait Listener: Send + 'static {
    /// What it accepts: a [`Transport`], or something that has to do a handshake of its own to become one.
    type Io: Connecting;

    /// How peers find it: a socket address for TCP, `()` where there is nothing to find.
    type Addr: Clone + fmt::Debug + Send + Sync + 'static;

    /// Waits for the next transport, and says who is at its other end. What takes longer than the system's own accepting
    /// belongs into [`Connecting::connect`], so that nobody waits for one who is slow.
    ///
    /// # Errors
    ///
    /// The operating system's. The server logs it, pauses for 100 ms and accepts again; an error of kind
    /// [`NotConnected`](io::ErrorKind::NotConnected) means that nothing can come any more and ends the server.
    ///
    /// # Cancel safety
    ///
    /// Must be cancel safe: no accepted transport may be lost with a dropped future.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, PeerAddr)>> + Send;

    /// The address it listens on.
    fn local_addr(&self) -> Self::Addr;
}

/// The second step in the life of an accepted transport: a handshake of its own, if it has one.
///
/// It runs in a task of its own, within the server's [`handshake_timeout`](crate::ServerBuilder::handshake_timeout), and
/// counts among those that have not said anything yet, of whom there may be 256, and 32 from one address. Every
/// [`Transport`] is one that has nothing to do.
///
/// # Examples
///
/// A proxy that says in a line of its own who is really there:
///
/// ```
/// use std::io;
///
/// use pnet::transport::{Connected, Connecting, PeerAddr};
/// use tokio::{io::AsyncReadExt, net::TcpStream};
///
/// /// Sent by the proxy: an address, and a line's end.
/// struct Proxied(TcpStream);
///
/// impl Connecting for Proxied {
///     type Io = TcpStream;
///
///     async fn connect(mut self, _proxy: PeerAddr) -> io::Result<Connected<TcpStream>> {
///         let mut line = String::new();
///         while !line.ends_with('\n') && line.len() < 64 {
///             line.push(char::from(self.0.read_u8().await?));
///         }
///         let address = line.trim().parse().map_err(io::Error::other)?;
///         Ok(Connected::new(self.0, PeerAddr::Socket(address)))
///     }
/// }
/// ```
pub trait Connecting: Send + 'static {
    /// What it becomes.
    type Io: Transport;

    /// Does the handshake. `addr` is who the listener has said is there.
    ///
    /// # Errors
    ///
    /// Whatever went wrong. It is logged, and the transport is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the transport is gone.
    fn connect(self, addr: PeerAddr) -> impl Future<Output = io::Result<Connected<Self::Io>>> + Send;
}

impl<T: Transport> Connecting for T {
    type Io = T;

    async fn connect(self, addr: PeerAddr) -> io::Result<Connected<T>> {
        Ok(Connected::new(self, addr))
    }
}

/// A transport that is ready for a connection, and who is at its other end.
pub struct Connected<Io> {
    pub(crate) io: Io,
    pub(crate) addr: PeerAddr,
    pub(crate) key: Option<Fingerprint>,
    pub(crate) encrypted: bool,
    pub(crate) detail: Option<Detail>,
}

impl<Io: fmt::Debug> fmt::Debug for Connected<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("io", &self.io)
            .field("addr", &self.addr)
            .field("key", &self.key)
            .field("encrypted", &self.encrypted)
            .finish_non_exhaustive()
    }
}

impl<Io> Connected<Io> {
    /// A transport whose other end has shown no key.
    pub const fn new(io: Io, addr: PeerAddr) -> Self {
        Self { io, addr, key: None, encrypted: false, detail: None }
    }

    /// The other end has proved that it holds this key: what [`Peer::key`](crate::Peer::key) tells, and what the server's
    /// list of clients is compared with, unless TLS runs on top and shows another.
    #[must_use]
    pub fn with_key(self, key: Fingerprint) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Nobody else can read or change what travels: a listener that ends TLS itself says so. Then it is
    /// [`Arrival::is_encrypted`](crate::Arrival::is_encrypted), and is given a token of its own.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { encrypted: true, ..self }
    }

    /// What else is known of the other end, such as the user id at a Unix socket: a handler under `#[action(authenticate)]`
    /// asks for it by [`Arrival::transport`](crate::Arrival::transport). There is one; a second takes the first one's place.
    #[must_use]
    pub fn with_detail<T: Any + Send + Sync>(self, detail: T) -> Self {
        Self { detail: Some(Arc::new(detail)), ..self }
    }
}

/// Opens transports to one server, again and again: for [`via`](crate::ReconnectBuilder::via).
///
/// Implemented for closures that return such a future, and for [`memory::Connector`].
pub trait Connect: Send + Sync + 'static {
    /// What it opens.
    type Io: Transport;

    /// Opens a transport, and says who is at its other end. The client bounds it in time.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being opened. The client tries again later.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing may be left open.
    fn connect(&self) -> impl Future<Output = io::Result<(Self::Io, PeerAddr)>> + Send;
}

impl<F, Fut, Io> Connect for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = io::Result<(Io, PeerAddr)>> + Send,
    Io: Transport,
{
    type Io = Io;

    fn connect(&self) -> impl Future<Output = io::Result<(Io, PeerAddr)>> + Send {
        self()
    }
}

/// Who is at the other end of a transport.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddr {
    /// A socket address.
    Socket(SocketAddr),
    /// A program at a Unix socket of this machine.
    Unix {
        /// The user that it runs as.
        uid: u32,
        /// Its number, where the system tells; by now it may be another program's.
        pid: Option<i32>,
    },
    /// This process: a transport in memory.
    Memory,
    /// Anything else, in words; counts as remote.
    Other(String),
}

impl PeerAddr {
    /// Whether the other end is on this machine: a loopback address, a Unix socket, or memory.
    ///
    /// ```
    /// use pnet::transport::PeerAddr;
    ///
    /// assert!(PeerAddr::Memory.is_local());
    /// assert!(PeerAddr::Unix { uid: 1000, pid: None }.is_local());
    /// assert!(PeerAddr::Socket(([127, 0, 0, 1], 25565).into()).is_local());
    /// assert!(!PeerAddr::Socket(([192, 0, 2, 1], 25565).into()).is_local());
    /// ```
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Socket(address) => is_loopback(address.ip()),
            Self::Unix { .. } | Self::Memory => true,
            Self::Other(_) => false,
        }
    }

    /// The IP address, if it has one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        if let Self::Socket(address) = self { Some(address.ip()) } else { None }
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Unix { uid, .. } => write!(f, "unix uid {uid}"),
            Self::Memory => f.write_str("memory"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// Whether an address never leaves this machine; IPv4 addresses mapped to IPv6 are looked through.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// What a listener tells about a transport beside its address and its key.
pub(crate) type Detail = Arc<dyn Any + Send + Sync>;

/// Which clients of a server speak TLS; [`ServerBuilder::tls`](crate::ServerBuilder::tls).
///
/// Both arrive at the same port: the first byte tells them apart.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsPolicy {
    /// All. Who speaks plain text is closed as [`refused`](crate::CloseCode::Refused). What a server with an identity or
    /// certificates does unless told otherwise.
    Required,
    /// All but those on this machine, who may choose; with
    /// [`plaintext_on_network`](crate::ServerBuilder::plaintext_on_network), everybody may.
    Optional,
    /// None. What a server without identity and certificates does.
    Off,
}
