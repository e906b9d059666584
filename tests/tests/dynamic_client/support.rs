//! A server and the clients that meet it, and servers that are a script.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use pnet::{
    ConnectError, Server,
    dynamic::{self, Builder, Client, Inbox},
    transport::{Listener, PeerAddr},
};
use pnet_tests::talk::{Book, Talk, TalkServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::timeout,
};

/// Gives a server the transports that a test makes, from wherever the test says.
pub(crate) struct Handed(mpsc::Receiver<(DuplexStream, PeerAddr)>);

impl Listener for Handed {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, PeerAddr)> {
        self.0.recv().await.ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }

    fn local_addr(&self) {}
}

pub(crate) struct Served {
    pub(crate) server: Server<Talk, ()>,
    pub(crate) book: Arc<Book>,
    door: mpsc::Sender<(DuplexStream, PeerAddr)>,
}

pub(crate) fn serve() -> Served {
    let (door, receiver) = mpsc::channel(16);
    let book = Arc::new(Book::default());
    let server = pnet::serve(TalkServer, Arc::clone(&book)).listen(Handed(receiver));
    Served { server, book, door }
}

impl Served {
    /// A transport to the server, whose other end the server finds at `from`.
    pub(crate) async fn open(&self, from: PeerAddr) -> DuplexStream {
        let (here, there) = duplex(64 * 1024);
        self.door.send((there, from)).await.expect("the server accepts");
        here
    }

    /// A client in the same process.
    pub(crate) async fn connect(&self) -> (Client, Inbox) {
        let io = self.open(PeerAddr::Memory).await;
        in_time(dynamic::connect().over(io, PeerAddr::Memory)).await.expect("the server lets it in")
    }
}

/// Somewhere else.
pub(crate) fn far() -> PeerAddr {
    PeerAddr::Other("far away".to_owned())
}

/// What a test waits for has an end.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), work).await.expect("it takes no minute")
}

/// Connects to a server that says each of `lines` when something has come, and then does what `end` says.
pub(crate) async fn meet(
    builder: Builder,
    lines: impl IntoIterator<Item = String, IntoIter: Send> + Send + 'static,
    end: End,
) -> Result<(Client, Inbox), ConnectError> {
    let (here, mut there) = duplex(256 * 1024);
    tokio::spawn(async move {
        let mut buffer = [0; 64 * 1024];
        for line in lines {
            if there.read(&mut buffer).await.unwrap_or(0) == 0 || there.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
        if let End::Silent = end {
            while there.read(&mut buffer).await.unwrap_or(0) > 0 {}
        }
    });
    in_time(builder.over(here, PeerAddr::Memory)).await
}

/// What a server of [`meet`] does when it has said everything.
pub(crate) enum End {
    Silent,
    Leaves,
}

/// The text of an error with its causes.
pub(crate) fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
