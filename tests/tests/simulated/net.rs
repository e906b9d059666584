//! The simulated network as a transport.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use pnet::{
    Limits, Protocol,
    transport::{Listener, PeerAddr},
};
use pnet_protocol::handshake::{ClientHandshake, ShapePolicy};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::watch,
    time::{Duration, Instant, Sleep, sleep},
};
use turmoil::net::{TcpListener, TcpStream};

use crate::talk::Sim;

pub(crate) const PORT: u16 = 25565;

/// As long as a TCP connection may be dead before that is known; longer than three heartbeats.
const KEEPALIVE: Duration = Duration::from_secs(60);

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

/// A client's transport, which is lost when the test wants it, and when nothing was heard for long: the simulated TCP has
/// no keepalive, and nothing else ends a connection to a JSON server that was too slow to say that it knows pings.
pub(crate) struct Cord {
    io: TcpStream,
    keepalive: Pin<Box<Sleep>>,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_cut: bool,
}

impl Cord {
    pub(crate) async fn connect(mut cut: watch::Receiver<u64>) -> io::Result<(Self, PeerAddr)> {
        cut.mark_unchanged();
        let io = TcpStream::connect(("server", PORT)).await?;
        let cut = Box::pin(async move {
            if cut.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let keepalive = Box::pin(sleep(KEEPALIVE));
        Ok((Self { io, keepalive, cut, is_cut: false }, PeerAddr::Other("server".to_owned())))
    }

    fn check(&mut self, task: &mut Context<'_>) -> io::Result<()> {
        self.is_cut =
            self.is_cut || self.cut.as_mut().poll(task).is_ready() || self.keepalive.as_mut().poll(task).is_ready();
        if self.is_cut { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Cord {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(task)?;
        let read = Pin::new(&mut self.io).poll_read(task, into);
        if read.is_ready() {
            self.keepalive.as_mut().reset(Instant::now() + KEEPALIVE);
        }
        read
    }
}

impl AsyncWrite for Cord {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(task)?;
        Pin::new(&mut self.io).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(task)?;
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(task)?;
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

/// Connects as a native client, without the program around it.
pub(crate) async fn shaken() -> io::Result<TcpStream> {
    let mut io = TcpStream::connect(("server", PORT)).await?;
    let (mut out, mut read) = (Vec::new(), Vec::new());
    let mut machine = ClientHandshake::new(Sim::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    loop {
        io.write_all(&out).await?;
        out.clear();
        if io.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (used, welcomed) = machine.handle(&read, &mut out).map_err(io::Error::other)?;
        read.drain(..used);
        if welcomed.is_some() {
            return Ok(io);
        }
    }
}
