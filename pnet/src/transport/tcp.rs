//! TCP: addresses are resolved, Nagle's delay is off, and plain text stays on loopback unless it was allowed by name.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs, lookup_host};

use super::{Listener, PeerAddr, is_loopback};
use crate::error::{BindError, ConnectError};

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, PeerAddr)> {
        let (stream, address) = Self::accept(self).await?;
        // Frames are gathered before they are written; delaying them once more only costs.
        stream.set_nodelay(true)?;
        Ok((stream, PeerAddr::Socket(address)))
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self).ok()
    }
}

pub(crate) async fn bind(
    address: impl ToSocketAddrs + std::fmt::Debug,
    plaintext_on_network: bool,
) -> Result<TcpListener, BindError> {
    let name = format!("{address:?}");
    let io_error = |source| BindError::Io { address: name.clone(), source };
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(io_error)?.collect();
    if let Some(&address) = addresses.iter().find(|address| !is_loopback(address.ip()))
        && !plaintext_on_network
    {
        return Err(BindError::PlaintextOnNetwork { address });
    }
    TcpListener::bind(&addresses[..]).await.map_err(io_error)
}

pub(crate) async fn connect(
    address: impl ToSocketAddrs + std::fmt::Debug,
    plaintext_on_network: bool,
) -> Result<(TcpStream, PeerAddr), ConnectError> {
    let name = format!("{address:?}");
    let io_error = |source| ConnectError::Io { address: name.clone(), source };
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(io_error)?.collect();
    if let Some(&address) = addresses.iter().find(|address| !is_loopback(address.ip()))
        && !plaintext_on_network
    {
        return Err(ConnectError::PlaintextOnNetwork { address });
    }
    let stream = TcpStream::connect(&addresses[..]).await.map_err(io_error)?;
    stream.set_nodelay(true).map_err(io_error)?;
    let peer = stream.peer_addr().map_err(io_error)?;
    Ok((stream, PeerAddr::Socket(peer)))
}
