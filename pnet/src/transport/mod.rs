//! Where bytes travel: anything ordered and reliable that tokio can read and write.
//!
//! A [`Transport`] is one such pipe, a [`Listener`] is where a server gets them from. TCP and memory are built in; the
//! same driver serves all.

pub mod memory;
pub mod tcp;

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncWrite};

/// An ordered byte pipe. Implemented for everything that fits.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// A source of incoming transports, for [`listen`](crate::ServerBuilder::listen).
pub trait Listener: Send + 'static {
    /// What it accepts.
    type Io: Transport;

    /// How peers find it: a socket address for TCP, `()` where there is nothing to find.
    type Addr: Clone + fmt::Debug + Send + Sync + 'static;

    /// Waits for the next transport, and says who is at its other end.
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
    /// This process: a transport in memory.
    Memory,
    /// Anything else, in words; counts as remote.
    Other(String),
}

impl PeerAddr {
    /// Whether the other end is on this machine: a loopback address, or memory.
    ///
    /// ```
    /// use pnet::transport::PeerAddr;
    ///
    /// assert!(PeerAddr::Memory.is_local());
    /// assert!(PeerAddr::Socket(([127, 0, 0, 1], 25565).into()).is_local());
    /// assert!(!PeerAddr::Socket(([192, 0, 2, 1], 25565).into()).is_local());
    /// ```
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Socket(address) => is_loopback(address.ip()),
            Self::Memory => true,
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
            Self::Memory => f.write_str("memory"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// Whether an address never leaves this machine; IPv4 addresses mapped to IPv6 are looked through.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
