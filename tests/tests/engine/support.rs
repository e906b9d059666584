//! What the tests of the engine share.

use std::{future::poll_fn, io, pin::Pin, sync::Arc, task::Poll};

use pnet::{
    Bytes, Client, Limits, Packet, Peer, Protocol,
    memory::MemoryServer,
    transport::{Listener, PeerAddr},
};
use pnet_protocol::{
    frame::Frame,
    handshake::{ClientHandshake, ShapePolicy},
    protocol::ProtocolInfo,
};
use pnet_tests::talk::{Book, Echo, Talk, TalkClient, TalkServer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

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
    let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
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
    let server = pnet::memory::serve(TalkServer, Book::default());
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
