//! The same over TCP, on both kinds of runtime: real sockets, no paused clock.

use std::sync::Arc;

use pnet::{BindError, ConnectError};
use pnet_tests::talk::{AskBack, Book, Done, Note, Read, Talk, TalkClient, TalkServer};

async fn conversation() {
    let book = Arc::new(Book::default());
    let server = pnet::serve(TalkServer, Arc::clone(&book)).bind("127.0.0.1:0").await.expect("loopback binds");
    let address = server.local_addr();
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(pnet::connect(TalkClient, Book::default()).to(address).await.expect("loopback connects"));
    }
    let tasks = clients.into_iter().map(|client| {
        tokio::spawn(async move {
            for n in 0..100 {
                client.send(Note { n }).await.expect("is sent");
                assert_eq!(client.call(AskBack { n }).await.expect("is answered"), Done { n: n * 2 });
            }
            client.call(Read {}).await.expect("is answered");
            client.close().await;
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    assert_eq!(book.lines().iter().filter(|line| line.starts_with("note")).count(), 800);
    let done = server.shutdown(std::time::Duration::from_secs(10)).await;
    assert_eq!(done.cut_off, 0);
}

#[tokio::test]
async fn one_thread() {
    conversation().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_threads() {
    conversation().await;
}

#[tokio::test]
async fn plain_text_stays_on_loopback_unless_allowed() {
    let error = pnet::serve(TalkServer, Book::default()).bind("0.0.0.0:0").await.expect_err("is beyond loopback");
    assert!(matches!(error, BindError::PlaintextOnNetwork { .. }), "{error:?}");
    assert!(error.to_string().contains("plaintext_on_network"), "{error}");
    let error = pnet::connect_inbox::<Talk>().to("203.0.113.1:9").await.expect_err("is beyond loopback");
    assert!(matches!(error, ConnectError::PlaintextOnNetwork { .. }), "{error:?}");
    let builder = pnet::serve(TalkServer, Book::default()).plaintext_on_network();
    drop(builder.bind("0.0.0.0:0").await.expect("was allowed by name"));
}

#[tokio::test]
async fn an_address_in_use_is_an_error_at_once() {
    let server = pnet::serve(TalkServer, Book::default()).bind("127.0.0.1:0").await.expect("loopback binds");
    let error = pnet::serve(TalkServer, Book::default()).bind(server.local_addr()).await.expect_err("is in use");
    assert!(matches!(error, BindError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains(&server.local_addr().to_string()), "{error}");
}

#[tokio::test]
async fn dropping_the_server_closes_its_connections() {
    let server = pnet::serve(TalkServer, Book::default()).bind("127.0.0.1:0").await.expect("loopback binds");
    let client = pnet::connect(TalkClient, Book::default()).to(server.local_addr()).await.expect("loopback connects");
    drop(server);
    assert_eq!(client.closed().await.code(), pnet::CloseCode::GoingAway);
}
