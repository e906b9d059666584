//! Peers that mean harm, or come in a way that nobody has thought of.

use std::{io, net::SocketAddr, time::Duration};

use pnet::{
    ConnectError, TlsError, TlsPolicy,
    transport::{Listener, PeerAddr},
};
use pnet_tests::{
    keys,
    talk::{Book, Talk, TalkClient, TalkServer, Touch},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::support::{client, serve};

/// Gives a server transports of peers that are wherever the test says.
struct From(mpsc::Receiver<(DuplexStream, PeerAddr)>);

impl Listener for From {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, PeerAddr)> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn local_addr(&self) {}
}

fn far() -> PeerAddr {
    PeerAddr::Socket(SocketAddr::from(([192, 0, 2, 1], 7)))
}

#[tokio::test(start_paused = true)]
async fn nobody_far_away_is_spoken_to_in_plain_text_that_is_not_taken() {
    for allowed in [false, true] {
        let (door, receiver) = mpsc::channel(1);
        let builder = pnet::serve(TalkServer, Book::default()).identity(keys::server());
        let builder = builder.tls(TlsPolicy::Optional).old_clients(true);
        let builder = if allowed { builder.plaintext_on_network() } else { builder };
        let server = builder.listen(From(receiver));
        let (mut here, there) = duplex(64 * 1024);
        door.send((there, far())).await.expect("the server accepts");
        let mut answer = vec![0; 4096];
        let read = timeout(Duration::from_secs(60), here.read(&mut answer)).await.expect("it is closed, or greeted");
        assert_eq!(read.is_ok_and(|len| len > 0), allowed, "it is spoken to in plain text");
        assert_eq!(server.hub().is_empty(), !allowed);
    }
}

#[tokio::test]
async fn a_server_in_memory_with_tls_turned_off_is_reached_in_plain_text() {
    let server = pnet::serve(TalkServer, Book::default()).identity(keys::server()).tls(TlsPolicy::Off).in_memory();
    let client = server.connect(TalkClient, Book::default()).await.expect("connects");
    client.call(Touch {}).await.expect("is answered");
    assert_eq!(client.key(), None);
    let server = pnet::serve(TalkServer, Book::default()).in_memory();
    server.handle().set_identity(keys::server());
    server.connect(TalkClient, Book::default()).await.expect("TLS stays off");
}

#[tokio::test(start_paused = true)]
async fn another_key_is_told_however_late_it_is_shown() {
    let served = serve(|builder| builder.identity(keys::stranger()));
    let ((here, near), there) = (duplex(64 * 1024), served.open().await);
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (split(near), split(there));
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    // Holds the answer back until the client's time is almost over, and does not end afterwards.
    tokio::spawn(async move {
        let mut answer = vec![0; 64 * 1024];
        let len = from_server.read(&mut answer).await.expect("the server answers");
        sleep(Duration::from_millis(4_500)).await;
        to_client.write_all(&answer[..len]).await.expect("the client reads");
        sleep(Duration::from_secs(60)).await;
        drop((from_server, to_client));
    });
    let builder = client().pin(keys::server().fingerprint());
    let error = builder.over::<Talk>(here, PeerAddr::Memory).await.expect_err("it is another key");
    assert!(matches!(error, ConnectError::Tls(TlsError::Untrusted(_))), "{error:?}");
}
