//! A transport in memory: the same frames and the same driver, without a socket.

use std::io;

use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};

use super::{Connect, Listener, PeerAddr};

/// A pair: where a server listens, and what clients connect through.
#[must_use]
pub fn channel() -> (Connector, MemoryListener) {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    (Connector(sender), MemoryListener(receiver))
}

/// Opens transports to the listener it belongs to.
#[derive(Clone, Debug)]
pub struct Connector(mpsc::Sender<DuplexStream>);

impl Connector {
    /// Opens a transport; each direction holds [`PIPE_LEN`] bytes.
    ///
    /// # Errors
    ///
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody listens any more.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing is opened.
    pub async fn open(&self) -> io::Result<DuplexStream> {
        let (here, there) = duplex(PIPE_LEN);
        self.0.send(there).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(here)
    }
}

impl Connect for Connector {
    type Io = DuplexStream;

    async fn connect(&self) -> io::Result<(DuplexStream, PeerAddr)> {
        Ok((self.open().await?, PeerAddr::Memory))
    }
}

/// Accepts what its [`Connector`]s open.
#[derive(Debug)]
pub struct MemoryListener(mpsc::Receiver<DuplexStream>);

impl Listener for MemoryListener {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, PeerAddr)> {
        let stream = self.0.recv().await.ok_or(io::ErrorKind::NotConnected)?;
        Ok((stream, PeerAddr::Memory))
    }

    fn local_addr(&self) {}
}

/// Bytes that one direction of a transport in memory holds before the writer waits.
pub const PIPE_LEN: usize = 64 * 1024;

const BACKLOG: usize = 64;
