//! What the tests of the engine share.

use std::{future::poll_fn, io, pin::Pin, sync::Arc, task::Poll};

use pnet::{
    Bytes, Client, Limits, Packet, Peer, Protocol,
    memory::MemoryServer,
    transport::{Listener, PeerAddr},
};
use pnet_protocol::{
    close::CloseCode,
    frame::{Frame, decode},
    handshake::{ClientHandshake, ServerHandshake, ServerStep, ShapePolicy},
    id::{ConnectionId, SessionToken},
    protocol::ProtocolInfo,
};
use pnet_tests::talk::{Book, Echo, Talk, TalkClient, TalkServer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
};

use super::net;

/// A server in memory with one client, and both sides' books.
pub(crate) struct Pair {
    pub(crate) server: MemoryServer<Talk>,
    pub(crate) client: Client<Talk>,
    /// The server's.
    pub(crate) book: Arc<Book>,
    /// The client's.
    pub(crate) ui: Arc<Book>,
}

pub(crate) async fn pair() -> Pair {
    let (book, ui) = (Arc::new(Book::default()), Arc::new(Book::default()));
    let server = net::serve(TalkServer, Arc::clone(&book));
    let client = server.connect(TalkClient, Arc::clone(&ui)).await.expect("memory connects");
    Pair { server, client, book, ui }
}

/// Gives a server the transports that a test makes.
pub(crate) struct Handed(pub(crate) mpsc::Receiver<DuplexStream>);

impl Listener for Handed {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, PeerAddr)> {
        let io = self.0.recv().await.ok_or(io::ErrorKind::NotConnected)?;
        Ok((io, PeerAddr::Memory))
    }

    fn local_addr(&self) {}
}

/// Shakes hands as a client; what was read behind the welcome comes back.
pub(crate) async fn shake(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    info: &'static ProtocolInfo,
    limits: &Limits,
) -> Vec<u8> {
    let (mut out, mut read) = (Vec::new(), Vec::new());
    let mut machine = ClientHandshake::new(info, b"", limits, ShapePolicy::Names, &mut out);
    loop {
        io.write_all(&out).await.expect("memory writes");
        out.clear();
        assert_ne!(io.read_buf(&mut read).await.expect("memory reads"), 0);
        let (used, welcomed) = machine.handle(&read, &mut out).expect("the handshake is fine");
        read.drain(..used);
        if welcomed.is_some() {
            return read;
        }
    }
}

/// The number of one of the client's actions.
pub(crate) fn id_of(action: &str) -> u16 {
    Talk::INFO.client.find(action).expect("the protocol has it")
}

/// Polls once; whether it is ready.
pub(crate) async fn poll_once(mut future: Pin<&mut impl Future>) -> bool {
    poll_fn(|task| Poll::Ready(future.as_mut().poll(task).is_ready())).await
}

/// Lets every other task go as far as it can.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A server one of whose clients has stopped reading while four long answers are on their way to it.
pub(crate) async fn stuck() -> (MemoryServer<Talk>, Peer<Talk>, DuplexStream) {
    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    let mut payload = Vec::new();
    Echo { data: Bytes::from(vec![0; 40_000]) }.encode(Echo::CODEC, &mut payload).expect("encodes");
    let mut bytes = Vec::new();
    for id in 1..=4 {
        Frame::Call { id, action: id_of("ECHO"), timeout_ms: 0, payload: &payload }.encode(&mut bytes);
    }
    io.write_all(&bytes).await.expect("writes");
    settle().await;
    let peer = server.hub().peers().pop().expect("there");
    (server, peer, io)
}

/// One end of a native connection, frame by frame.
pub(crate) struct Raw {
    pub(crate) io: DuplexStream,
    read: Vec<u8>,
}

impl Raw {
    /// A client of `server`.
    pub(crate) async fn client(server: &MemoryServer<Talk>, limits: &Limits) -> Self {
        let mut io = server.connector().open().await.expect("opens");
        let read = shake(&mut io, Talk::INFO, limits).await;
        Self { io, read }
    }

    /// The server of the client at the other end of `io`, with no signs of life.
    pub(crate) async fn server(io: DuplexStream, limits: &Limits) -> Self {
        Self::server_as(ConnectionId::random(), io, limits).await
    }

    /// The same for a server that names the connection.
    pub(crate) async fn server_as(id: ConnectionId, mut io: DuplexStream, limits: &Limits) -> Self {
        let (mut read, mut out) = (Vec::new(), Vec::new());
        let mut machine = ServerHandshake::new(Talk::INFO, limits);
        loop {
            assert_ne!(io.read_buf(&mut read).await.expect("memory reads"), 0);
            let (used, step) = machine.handle(&read, &mut out).expect("the handshake is fine");
            read.drain(..used);
            if let ServerStep::Hello(_) = step {
                break;
            }
        }
        machine.welcome(id, Some(&SessionToken::random()), 0, &mut out);
        io.write_all(&out).await.expect("memory writes");
        Self { io, read }
    }

    /// A client of the program, and its raw server.
    pub(crate) async fn with_client(limits: &Limits) -> (Self, Client<Talk>, Arc<Book>) {
        let (here, there) = duplex(1 << 16);
        let limits = *limits;
        let server = tokio::spawn(async move { Self::server(there, &limits).await });
        let ui = Arc::new(Book::default());
        let client = pnet::connect(TalkClient, Arc::clone(&ui));
        let client = client.over(here, PeerAddr::Memory).await.expect("connects");
        (server.await.expect("no panic"), client, ui)
    }

    pub(crate) async fn send(&mut self, frame: Frame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.io.write_all(&bytes).await.expect("memory writes");
    }

    /// A call with a packet that this side encodes.
    pub(crate) async fn call<T: Packet>(&mut self, id: u32, packet: &T) {
        let mut payload = Vec::new();
        packet.encode(T::CODEC, &mut payload).expect("encodes");
        self.send(Frame::Call { id, action: id_of(T::ACTION), timeout_ms: 0, payload: &payload }).await;
    }

    /// The next frame, whatever it is; `None` at the end.
    pub(crate) async fn any<R>(&mut self, look: impl FnOnce(Frame<'_>) -> R) -> Option<R> {
        loop {
            if let Some((frame, used)) = decode(&self.read, 1 << 20).expect("frames") {
                let seen = look(frame);
                self.read.drain(..used);
                return Some(seen);
            }
            self.io.read_buf(&mut self.read).await.ok().filter(|read| *read > 0)?;
        }
    }

    /// The next frame that is no TIME.
    pub(crate) async fn next<R>(&mut self, look: impl Fn(Frame<'_>) -> R) -> R {
        loop {
            let seen = self.any(|frame| if let Frame::Time { .. } = frame { None } else { Some(look(frame)) }).await;
            if let Some(seen) = seen.expect("the connection is open") {
                return seen;
            }
        }
    }

    /// The code of the CLOSE frame that comes, after whatever else.
    pub(crate) async fn close_code(&mut self) -> CloseCode {
        loop {
            let code = self.any(|frame| if let Frame::Close(close) = frame { Some(close.code) } else { None }).await;
            if let Some(code) = code.expect("a close frame comes") {
                return code;
            }
        }
    }
}
