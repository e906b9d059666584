//! TCP: addresses are resolved, Nagle's delay is off, and plain text stays on loopback unless it was allowed by name.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs, lookup_host};

use super::{Listener, PeerAddr, is_loopback};
use crate::error::{BindError, ConnectError};

/// A bound TCP socket.
#[derive(Debug)]
pub struct TcpAcceptor {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl TryFrom<TcpListener> for TcpAcceptor {
    type Error = io::Error;

    /// Takes a socket that was bound elsewhere. Whether plain text may travel to where it is reachable from is then the
    /// caller's to decide.
    fn try_from(listener: TcpListener) -> io::Result<Self> {
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr })
    }
}

impl Listener for TcpAcceptor {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, PeerAddr)> {
        let (stream, address) = self.listener.accept().await?;
        // Frames are gathered before they are written; delaying them once more only costs. A socket that is gone
        // already refuses the option, and is noticed when it is read.
        let _ = stream.set_nodelay(true);
        keep_alive(&stream);
        Ok((stream, PeerAddr::Socket(address)))
    }

    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

/// Where to bind or to connect to: an address, or a host's name and a port, in any of the forms that tokio takes.
///
/// `"example.com:25565"`, `("example.com", 25565)`, `SocketAddr`, `(IpAddr, u16)`, and so on. A name is resolved each time; of
/// several addresses the first is taken that works.
pub trait Address: ToSocketAddrs {
    /// The address as `host:port`: what errors say, what TLS calls the server, and what the file of known hosts is sorted
    /// by.
    fn to_name(&self) -> String;
}

/// The forms that print as `host:port` by themselves.
macro_rules! printed {
    ($($form:ty),*) => {$(
        impl Address for $form {
            fn to_name(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

printed!(SocketAddr, SocketAddrV4, SocketAddrV6, str, String);

/// The forms that are an IP address and a port.
macro_rules! parted {
    ($($form:ty),*) => {$(
        impl Address for ($form, u16) {
            fn to_name(&self) -> String {
                SocketAddr::from(*self).to_string()
            }
        }
    )*};
}

parted!(IpAddr, Ipv4Addr, Ipv6Addr);

impl Address for (&str, u16) {
    fn to_name(&self) -> String {
        named(self.0, self.1)
    }
}

impl Address for (String, u16) {
    fn to_name(&self) -> String {
        named(&self.0, self.1)
    }
}

/// Called by the first.
impl Address for &[SocketAddr] {
    fn to_name(&self) -> String {
        self.first().map_or_else(|| "no address".to_owned(), SocketAddr::to_string)
    }
}

impl<A: Address + ?Sized> Address for &A {
    fn to_name(&self) -> String {
        (**self).to_name()
    }
}

/// A host that is an address of IPv6 needs brackets.
fn named(host: &str, port: u16) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(host) => SocketAddr::from((host, port)).to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}

pub(crate) async fn bind(address: impl Address, plaintext_on_network: bool) -> Result<TcpAcceptor, BindError> {
    let name = address.to_name();
    let io_error = |source| BindError::Io { address: name.clone(), source };
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(io_error)?.collect();
    if let Some(&address) = addresses.iter().find(|address| !is_loopback(address.ip()))
        && !plaintext_on_network
    {
        return Err(BindError::PlaintextOnNetwork { address });
    }
    let listener = TcpListener::bind(&addresses[..]).await.map_err(io_error)?;
    listener.try_into().map_err(io_error)
}

pub(crate) async fn connect(
    address: impl Address,
    plaintext_on_network: bool,
) -> Result<(TcpStream, PeerAddr), ConnectError> {
    let name = address.to_name();
    let io_error = |source| ConnectError::Io { address: name.clone(), source };
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(io_error)?.collect();
    if let Some(&address) = addresses.iter().find(|address| !is_loopback(address.ip()))
        && !plaintext_on_network
    {
        return Err(ConnectError::PlaintextOnNetwork { address });
    }
    let stream = TcpStream::connect(&addresses[..]).await.map_err(io_error)?;
    stream.set_nodelay(true).map_err(io_error)?;
    keep_alive(&stream);
    let peer = stream.peer_addr().map_err(io_error)?;
    Ok((stream, PeerAddr::Socket(peer)))
}

/// Lets the system find out that a silent peer is gone, in 45 s: peers that know no pings are otherwise never missed. A
/// system that cannot do it, or not so finely, does without.
fn keep_alive(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(10));
    #[cfg(any(unix, windows))]
    let keepalive = keepalive.with_retries(3);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "no keepalive");
    }
}
