//! A server that clients reach from any address there is, in memory.

use std::{io, net::IpAddr, sync::Arc};

use pnet::{
    Client, ConnectError, Dialect, Server,
    transport::{Listener, PeerAddr},
};
use pnet_tests::gate::{Gate, GateClient, GateServer, Pass, Porter};
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};

/// The server, and the way to it.
#[derive(Clone)]
pub(crate) struct Town {
    way: mpsc::Sender<(DuplexStream, PeerAddr)>,
    pub(crate) server: Arc<Server<Gate, ()>>,
}

struct Gates(mpsc::Receiver<(DuplexStream, PeerAddr)>);

impl Listener for Gates {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(Self::Io, PeerAddr)> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn local_addr(&self) {}
}

impl Town {
    pub(crate) fn with(porter: Porter) -> Self {
        Self::of(pnet::serve(GateServer, porter))
    }

    pub(crate) fn of(builder: pnet::ServerBuilder<GateServer>) -> Self {
        let (way, gates) = mpsc::channel(16);
        Self { way, server: Arc::new(builder.listen(Gates(gates))) }
    }

    /// A transport to the server, which sees it come from there.
    pub(crate) async fn come_from(&self, from: IpAddr) -> DuplexStream {
        let (here, there) = duplex(1 << 14);
        self.way.send((there, PeerAddr::Socket((from, 4_000).into()))).await.expect("the server accepts");
        here
    }

    /// Connects, and shows a word.
    pub(crate) async fn show(&self, word: &str, from: IpAddr, dialect: Dialect) -> Result<Client<Gate>, ConnectError> {
        let io = self.come_from(from).await;
        let builder = pnet::connect(GateClient, ()).dialect(dialect).credentials(&Pass::new(word));
        builder.over(io, PeerAddr::Memory).await
    }

    /// Lets every other task go as far as it can.
    pub(crate) async fn settle(&self) {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }
}
