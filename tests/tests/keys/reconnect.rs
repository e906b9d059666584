//! Clients that come back to a server whose key has changed meanwhile.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pnet::{
    Backoff, CallError, Client, ClientBuilder, CloseCode, ClosedBy, Hub, LinkState, Retry,
    memory::MemoryServer,
    transport::{Connect, PeerAddr, memory::Connector},
};
use pnet_tests::talk::{Divide, Talk, TalkClient};
use rcgen::{KeyPair, date_time_ymd};
use tokio::io::DuplexStream;

use super::support::{Authority, Folder, NAME, client, identity, pin, server, server_with, works};

/// Opens transports to a server that has a name, and counts them.
#[derive(Clone)]
struct Dial {
    connector: Connector,
    count: Arc<AtomicUsize>,
}

impl Dial {
    fn to(server: &MemoryServer<Talk>) -> Self {
        Self { connector: server.connector(), count: Arc::default() }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Connect for Dial {
    type Io = DuplexStream;

    async fn connect(&self) -> io::Result<(DuplexStream, PeerAddr)> {
        self.count.fetch_add(1, Ordering::SeqCst);
        Ok((self.connector.open().await?, PeerAddr::Other(NAME.to_owned())))
    }
}

async fn connect(builder: ClientBuilder<TalkClient>, dial: &Dial) -> Client<Talk> {
    builder.reconnect(hasty()).via(dial.clone()).await.expect("connects")
}

fn hasty() -> Backoff {
    Backoff::new(Duration::from_millis(1), Duration::from_millis(1))
}

/// Ends every connection, and waits until the client is back.
async fn lose_and_return(server: &MemoryServer<Talk>, client: &Client<Talk>) {
    let before = client.id();
    lose_all(&server.hub());
    let back = |state: &LinkState| matches!(state, LinkState::Up) && client.id() != before;
    client.states().wait_for(back).await.expect("the client is there");
    assert!(works(client).await);
}

/// Ends every connection in a way that clients come back from.
fn lose_all(hub: &Hub<Talk>) {
    for peer in hub.peers() {
        hub.close(peer.id(), CloseCode::Internal, "as the test wants it");
    }
}

/// Ends every connection. The client meets another key, and gives up for good with this reason.
async fn lose_and_give_up(hub: &Hub<Talk>, client: &Client<Talk>) -> String {
    let before = client.id();
    lose_all(hub);
    let settled = |state: &LinkState| match state {
        LinkState::Closed(_) => true,
        LinkState::Up => client.id() != before,
        _ => false,
    };
    client.states().wait_for(settled).await.expect("the client is there");
    assert!(client.is_closed(), "it has come back to another key");
    let closed = client.closed().await;
    assert_eq!((closed.code(), closed.by(), closed.retry()), (CloseCode::Refused, ClosedBy::Here, Retry::Never));
    let error = client.call(Divide { a: 6, b: 3 }).await;
    assert!(matches!(error, Err(CallError::Disconnected { sent: false, .. })), "{error:?}");
    for key in [pin(0), pin(1)] {
        assert!(closed.reason().contains(&key.to_string()), "{closed}");
    }
    closed.reason().to_owned()
}

#[tokio::test]
async fn a_client_keeps_to_the_first_key_whatever_becomes_of_the_file() {
    let folder = Folder::new();
    for left in ["", "# nothing\n", &format!("{NAME} {}\n", pin(1))] {
        let file = folder.path("known_hosts");
        let _ = fs::remove_file(&file);
        let server = server_with(identity(0));
        let dial = Dial::to(&server);
        let client = connect(client().known_hosts(&file), &dial).await;
        assert_eq!(fs::read_to_string(&file).expect("it was stored"), format!("{NAME} {}\n", pin(0)));
        if left.is_empty() {
            fs::remove_file(&file).expect("it is there");
        } else {
            folder.write("known_hosts", left);
        }
        // The same key is fine, and is not stored again.
        lose_and_return(&server, &client).await;
        assert_eq!(dial.count(), 2);
        server.handle().set_identity(identity(1));
        let reason = lose_and_give_up(&server.hub(), &client).await;
        assert!(reason.contains("(when this client met it first)"), "{reason}");
        assert_eq!(dial.count(), 3, "it has tried once and not again");
        assert_eq!(fs::read_to_string(&file).unwrap_or_default(), left);
    }
}

#[tokio::test]
async fn a_client_with_a_pin_does_not_come_back_to_another_key() {
    let server = server_with(identity(0));
    let dial = Dial::to(&server);
    let client = connect(client().pin(pin(0)).identity(identity(2)), &dial).await;
    server.handle().set_identity(identity(1));
    assert!(works(&client).await, "a connection that is open stays");
    let reason = lose_and_give_up(&server.hub(), &client).await;
    assert!(reason.contains("another key than the pinned one"), "{reason}");
    assert_eq!(dial.count(), 2);
}

#[tokio::test]
async fn a_client_with_both_pins_comes_back_to_the_new_key() {
    let server = server_with(identity(0));
    let dial = Dial::to(&server);
    let client = connect(client().pin(pin(0)).pin(pin(1)), &dial).await;
    assert_eq!(client.key(), Some(pin(0)));
    server.handle().set_identity(identity(1));
    lose_and_return(&server, &client).await;
    assert_eq!(client.key(), Some(pin(1)));
}

#[tokio::test]
async fn a_client_that_knew_both_keys_comes_back_to_the_new_one() {
    let folder = Folder::new();
    let file = folder.write("known_hosts", format!("{NAME} {}\n{NAME} {}\n", pin(0), pin(1)));
    let server = server_with(identity(0));
    let dial = Dial::to(&server);
    let client = connect(client().known_hosts(&file), &dial).await;
    server.handle().set_identity(identity(1));
    lose_and_return(&server, &client).await;
    assert_eq!(client.key(), Some(pin(1)));
}

#[tokio::test]
async fn it_is_the_same_over_tcp() {
    let folder = Folder::new();
    let file = folder.path("known_hosts");
    let server = server().identity(identity(0)).bind("127.0.0.1:0").await.expect("loopback binds");
    let client: Client<Talk> =
        client().known_hosts(&file).reconnect(hasty()).to(server.local_addr()).await.expect("connects");
    fs::remove_file(&file).expect("it was stored");
    server.handle().set_identity(identity(1));
    lose_and_give_up(&server.hub(), &client).await;
    assert!(!file.exists());
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_tried_again_until_it_is_replaced() {
    let authority = Authority::new("an authority");
    let key = KeyPair::generate().expect("a key can be made");
    let expired = authority.issue_with(&["host.example"], &key, |params| params.not_after = date_time_ymd(2020, 1, 1));
    let good = authority.issue(&["host.example"]);
    let server = server().certificates(good.certificates()).in_memory();
    let dial = Dial::to(&server);
    let client = connect(client().roots(&authority.pem), &dial).await;
    let mut states = client.states();
    server.handle().set_certificates(expired.certificates());
    lose_all(&server.hub());
    let waits = |state: &LinkState| match state {
        LinkState::Waiting { attempt: 3.., why, .. } => why.reason().contains("the certificate has expired"),
        _ => false,
    };
    states.wait_for(waits).await.expect("the client is there");
    assert!(!client.is_closed());
    server.handle().set_certificates(good.certificates());
    assert!(works(&client).await);
}
