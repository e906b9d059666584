//! What these tests share: a server whose clients come from wherever a test says, peers played by hand, and looks.

use std::{io, sync::Arc};

use pnet::{
    Client, ClientBuilder, Limits, Packet, Protocol, Server, ServerBuilder,
    inspect::{Action, Connection, Inspect, Snapshot},
    transport::{Listener, PeerAddr},
};
use pnet_protocol::{
    frame::{Frame, decode},
    handshake::{ClientHandshake, ServerHandshake, ServerStep, ShapePolicy},
    id::{ConnectionId, SessionToken},
};
use pnet_tests::talk::{Book, Talk, TalkClient, TalkServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::{Duration, timeout},
};

/// Gives a server the transports that a test makes.
pub(crate) struct Handed(mpsc::Receiver<(DuplexStream, PeerAddr)>);

impl Listener for Handed {
    type Io = DuplexStream;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(DuplexStream, PeerAddr)> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn local_addr(&self) -> &'static str {
        "the test"
    }
}

pub(crate) const fn handed(handed: mpsc::Receiver<(DuplexStream, PeerAddr)>) -> Handed {
    Handed(handed)
}

/// Welcomes a client as a server does, and reads nothing from then on.
pub(crate) async fn welcome(mut io: DuplexStream) -> DuplexStream {
    let (mut read, mut out) = (Vec::new(), Vec::new());
    let mut machine = ServerHandshake::new(Talk::INFO, &Limits::default());
    loop {
        assert_ne!(soon(io.read_buf(&mut read)).await.expect("memory reads"), 0);
        let (used, step) = machine.handle(&read, &mut out).expect("the handshake is fine");
        read.drain(..used);
        if let ServerStep::Hello(_) = step {
            break;
        }
    }
    machine.welcome(ConnectionId::random(), Some(&SessionToken::random()), 0, &mut out);
    io.write_all(&out).await.expect("memory writes");
    io
}

/// A server of the protocol `Talk`.
pub(crate) struct Served {
    pub(crate) server: Server<Talk, &'static str>,
    pub(crate) book: Arc<Book>,
    door: mpsc::Sender<(DuplexStream, PeerAddr)>,
}

pub(crate) fn serve(configure: impl FnOnce(ServerBuilder<TalkServer>) -> ServerBuilder<TalkServer>) -> Served {
    let (door, handed) = mpsc::channel(16);
    let book = Arc::new(Book::default());
    let server = configure(pnet::serve(TalkServer, Arc::clone(&book))).listen(Handed(handed));
    Served { server, book, door }
}

impl Served {
    /// A transport to the server, from this machine.
    pub(crate) async fn open(&self) -> DuplexStream {
        self.open_from(PeerAddr::Memory).await
    }

    pub(crate) async fn open_from(&self, addr: PeerAddr) -> DuplexStream {
        let (here, there) = duplex(64 * 1024);
        self.door.send((there, addr)).await.expect("the server accepts");
        here
    }

    pub(crate) async fn connect(&self, builder: ClientBuilder<TalkClient>) -> Client<Talk> {
        builder.over(self.open().await, PeerAddr::Memory).await.expect("it is let in")
    }

    /// A client that speaks frames and is played by hand: what it is sent comes back when the test reads it.
    pub(crate) async fn raw(&self) -> Raw {
        let mut io = self.open().await;
        let (mut out, mut read) = (Vec::new(), Vec::new());
        let mut machine = ClientHandshake::new(Talk::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut out);
        loop {
            io.write_all(&out).await.expect("memory writes");
            out.clear();
            assert_ne!(soon(io.read_buf(&mut read)).await.expect("memory reads"), 0);
            let (used, welcomed) = machine.handle(&read, &mut out).expect("the handshake is fine");
            read.drain(..used);
            if welcomed.is_some() {
                settle().await;
                return Raw(io);
            }
        }
    }

    /// A client that speaks JSON and is played by hand.
    pub(crate) async fn json(&self) -> DuplexStream {
        let mut io = self.open().await;
        io.write_all(b"{\"action\":\"READ\",\"data\":{},\"id\":1}\n").await.expect("memory writes");
        let mut answer = vec![0; 256];
        assert_ne!(soon(io.read(&mut answer)).await.expect("memory reads"), 0);
        settle().await;
        io
    }

    pub(crate) fn look(&self) -> Snapshot {
        self.server.inspector().snapshot()
    }
}

/// See [`Served::raw`].
pub(crate) struct Raw(pub(crate) DuplexStream);

impl Raw {
    pub(crate) async fn send(&mut self, frame: Frame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.0.write_all(&bytes).await.expect("memory writes");
    }

    pub(crate) async fn call<T: Packet>(&mut self, id: u32, packet: &T) {
        let payload = payload(packet);
        self.send(Frame::Call { id, action: number::<T>(), timeout_ms: 0, payload: &payload }).await;
    }

    /// The id of the call that comes.
    pub(crate) async fn called(&mut self) -> u32 {
        let mut read = Vec::new();
        loop {
            while let Some((frame, used)) = decode(&read, 1 << 20).expect("frames") {
                if let Frame::Call { id, .. } = frame {
                    return id;
                }
                read.drain(..used);
            }
            assert_ne!(soon(self.0.read_buf(&mut read)).await.expect("memory reads"), 0);
        }
    }

    pub(crate) async fn packet<T: Packet>(&mut self, packet: &T) {
        let payload = payload(packet);
        self.send(Frame::Packet { action: number::<T>(), payload: &payload }).await;
    }
}

pub(crate) fn payload<T: Packet>(packet: &T) -> Vec<u8> {
    let mut payload = Vec::new();
    packet.encode(T::CODEC, &mut payload).expect("encodes");
    payload
}

fn number<T: Packet>() -> u16 {
    Talk::INFO.client.find(T::ACTION).expect("the protocol has it")
}

pub(crate) fn client() -> ClientBuilder<TalkClient> {
    pnet::connect(TalkClient, Book::default())
}

/// Lets every other task go as far as it can.
pub(crate) async fn settle() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

/// What comes within a minute.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(60), future).await.expect("it comes")
}

pub(crate) fn action<'a>(snapshot: &'a Snapshot, direction: &str, name: &str) -> &'a Action {
    let mut actions = snapshot.actions.iter();
    actions.find(|action| action.direction == direction && action.action == name).expect("the protocol has it")
}

pub(crate) fn connection<'a>(snapshot: &'a Snapshot, id: &str) -> &'a Connection {
    snapshot.connections.iter().find(|connection| connection.id == id).expect("it is there")
}

/// How often a limit was met.
pub(crate) fn met(snapshot: &Snapshot, name: &str) -> u64 {
    snapshot.limits.iter().find(|limit| limit.name == name).unwrap_or_else(|| panic!("there is no limit {name}")).met
}

/// How many connections ended like this.
pub(crate) fn closes(snapshot: &Snapshot, code: &str, by: &str) -> u64 {
    snapshot.closes.iter().filter(|closes| closes.code == code && closes.by == by).map(|closes| closes.count).sum()
}
