//! The simulated network as a transport.

use std::io;

use pnet::transport::{Listener, PeerAddr};
use turmoil::net::{TcpListener, TcpStream};

pub(crate) const PORT: u16 = 25565;

/// Accepts what comes to the simulated host.
pub(crate) struct Simulated(TcpListener);

impl Simulated {
    pub(crate) async fn bind() -> io::Result<Self> {
        Ok(Self(TcpListener::bind(("0.0.0.0", PORT)).await?))
    }
}

impl Listener for Simulated {
    type Io = TcpStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(TcpStream, PeerAddr)> {
        let (io, address) = self.0.accept().await?;
        Ok((io, PeerAddr::Socket(address)))
    }

    fn local_addr(&self) {}
}
