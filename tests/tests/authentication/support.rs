//! A server whose clients come from wherever a test says.

use std::io;

use pnet::{
    Client, ClientBuilder, Closed, ConnectError, Refused, Server, ServerBuilder,
    transport::{Connected, Connecting, Listener, PeerAddr},
};
use pnet_tests::gate::{Gate, GateClient, GateServer, Pass, Porter, Visitor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
};

/// A transport in memory, with what its listener tells of it.
pub(crate) struct Told {
    io: DuplexStream,
    detail: Option<u32>,
}

impl Connecting for Told {
    type Io = DuplexStream;

    async fn connect(self, addr: PeerAddr) -> io::Result<Connected<DuplexStream>> {
        let connected = Connected::new(self.io, addr);
        Ok(match self.detail {
            // One that ends TLS itself.
            Some(detail) => connected.with_detail(detail).encrypted(),
            None => connected,
        })
    }
}

pub(crate) struct Handed(mpsc::Receiver<(Told, PeerAddr)>);

impl Listener for Handed {
    type Io = Told;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(Told, PeerAddr)> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn local_addr(&self) {}
}

pub(crate) struct Served {
    pub(crate) server: Server<Gate, ()>,
    doors: mpsc::Sender<(Told, PeerAddr)>,
}

pub(crate) fn serve(
    porter: Porter,
    configure: impl FnOnce(ServerBuilder<GateServer>) -> ServerBuilder<GateServer>,
) -> Served {
    let (doors, handed) = mpsc::channel(8);
    let server = configure(pnet::serve(GateServer, porter)).listen(Handed(handed));
    Served { server, doors }
}

impl Served {
    /// A transport of somebody at `addr`.
    pub(crate) async fn open(&self, addr: PeerAddr) -> DuplexStream {
        self.open_with(addr, None).await
    }

    pub(crate) async fn open_with(&self, addr: PeerAddr, detail: Option<u32>) -> DuplexStream {
        let (here, io) = duplex(1 << 16);
        assert!(self.doors.send((Told { io, detail }, addr)).await.is_ok(), "the server accepts");
        here
    }

    /// Connects as somebody at `addr`.
    pub(crate) async fn connect(
        &self,
        client: ClientBuilder<GateClient>,
        addr: PeerAddr,
    ) -> Result<Client<Gate>, ConnectError> {
        client.over(self.open(addr).await, PeerAddr::Memory).await
    }

    /// What the server answers to `bytes`, up to its end.
    pub(crate) async fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut io = self.open(PeerAddr::Memory).await;
        io.write_all(bytes).await.expect("memory writes");
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.expect("memory reads");
        answer
    }
}

pub(crate) fn far(address: &str) -> PeerAddr {
    PeerAddr::Socket((address.parse::<std::net::IpAddr>().expect("an address"), 4000).into())
}

pub(crate) fn client(word: &str) -> ClientBuilder<GateClient> {
    pnet::connect(GateClient, ()).credentials(&Pass::new(word))
}

/// Why the server refused.
pub(crate) fn refusal(connected: Result<Client<Gate>, ConnectError>) -> Closed {
    match connected {
        Err(ConnectError::Refused(closed)) => closed,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn visitor(name: &str) -> Result<Visitor, Refused> {
    Ok(Visitor { name: name.to_owned() })
}
