//! What goes over the wire, as whoever stands between the two sees it.

use pnet::{ConnectError, TlsError};
use pnet_tests::keys;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::mpsc,
};

use super::support::{client, connect, serve};

/// One record of TLS: its type, and how long it is without its head.
type Record = (u8, usize);

/// Passes records on, and tells which.
async fn watch(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, told: mpsc::UnboundedSender<Record>) {
    loop {
        let mut head = [0; 5];
        if from.read_exact(&mut head).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
        let mut rest = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        from.read_exact(&mut rest).await.expect("a record is whole");
        let _ = told.send((head[0], rest.len()));
        let _ = to.write_all(&[&head[..], &rest].concat()).await;
    }
}

/// A client's end of a wire, and what it says on it.
fn watched(there: DuplexStream) -> (DuplexStream, mpsc::UnboundedReceiver<Record>) {
    let (here, near) = duplex(64 * 1024);
    let ((from_client, to_client), (from_server, to_server)) = (split(near), split(there));
    let ((told, records), (other, _)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    tokio::spawn(watch(from_client, to_server, told));
    tokio::spawn(watch(from_server, to_client, other));
    (here, records)
}

async fn all(mut records: mpsc::UnboundedReceiver<Record>) -> Vec<Record> {
    let mut all = Vec::new();
    while let Some(record) = records.recv().await {
        all.push(record);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn to_a_server_with_another_key_the_client_says_nothing() {
    let served = serve(|builder| builder.identity(keys::stranger()));
    let (here, records) = watched(served.open().await);
    let error = connect(client().pin(keys::server().fingerprint()), here).await.expect_err("it is another key");
    let ConnectError::Tls(TlsError::Untrusted(untrusted)) = &error else { panic!("{error:?}") };
    assert_eq!(untrusted.shown, keys::stranger().fingerprint());
    assert_eq!(untrusted.expected, [keys::server().fingerprint()]);
    let words = error.to_string();
    for key in [keys::stranger(), keys::server()] {
        assert!(words.contains(&key.fingerprint().to_string()), "{words}");
    }
    // Its hello, a record that middleboxes like to see, and the alert that says why it goes: encrypted, so that it looks
    // like the application's, but of the two bytes that an alert has.
    let said = all(records).await;
    assert!(matches!(said[..], [(HANDSHAKE, _), (CHANGE_CIPHER_SPEC, 1), (APPLICATION, ALERT_LEN)]), "{said:?}");
    assert!(served.end().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_honest_conversation_is_more_than_that() {
    let served = serve(|builder| builder.identity(keys::server()));
    let (here, records) = watched(served.open().await);
    let client = connect(client().pin(keys::server().fingerprint()), here).await.expect("connects");
    client.close().await;
    let said = all(records).await;
    let more = said.iter().filter(|record| record.0 == APPLICATION && record.1 > ALERT_LEN);
    assert!(more.count() >= 3, "a hello, a call and a close at least: {said:?}");
    served.end().await;
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;
/// Two bytes, the inner type, and the seal (RFC 8446 §5.2).
const ALERT_LEN: usize = 2 + 1 + 16;
