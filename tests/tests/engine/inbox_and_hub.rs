//! Receiving by a loop, and the list of all connections.

use std::sync::Arc;

use pnet::{CallError, code};
use pnet_tests::talk::{Ask, Book, Note, Push, Talk, TalkClient, TalkFromServer, TalkServer, Told, Touch};

use super::{net, support::pair};

#[tokio::test(start_paused = true)]
async fn an_inbox_gives_packets_and_calls_in_order() {
    let server = net::serve(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    client.call(Touch {}).await.expect("is answered");
    let peer = server.hub().peers().pop().expect("the client is there");
    let asking = tokio::spawn({
        let peer = peer.clone();
        async move {
            for n in 0..300 {
                peer.send(Push { n }).await.expect("is sent");
            }
            peer.call(Ask { n: 5 }).await
        }
    });
    for expected in 0..300 {
        let Some(TalkFromServer::Push(Push { n })) = inbox.recv().await else { panic!("a push is due") };
        assert_eq!(n, expected);
    }
    let Some(TalkFromServer::Ask(ask, responder)) = inbox.recv().await else { panic!("a call is due") };
    responder.reply(Told { n: ask.n + 1 });
    assert_eq!(asking.await.expect("no panic").expect("is answered"), Told { n: 6 });
    peer.close(pnet::CloseCode::Normal, "bye");
    assert!(inbox.recv().await.is_none());
    assert_eq!(client.closed().await.reason(), "bye");
}

#[tokio::test(start_paused = true)]
async fn a_responder_dropped_without_an_answer_answers_with_a_failure() {
    let server = net::serve(TalkServer, Book::default());
    let (_client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    let reading = tokio::spawn(async move {
        while let Some(packet) = inbox.recv().await {
            drop(packet);
        }
    });
    while server.hub().is_empty() {
        tokio::task::yield_now().await;
    }
    let peer = server.hub().peers().pop().expect("the client is there");
    for n in 0..200 {
        let error = peer.call(Ask { n }).await.expect_err("nobody answers");
        assert!(matches!(&error, CallError::Failed { code, .. } if code == code::INTERNAL), "{error:?}");
    }
    peer.close(pnet::CloseCode::Normal, "bye");
    reading.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn an_inbox_nobody_reads_slows_the_server_down() {
    let server = net::serve(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("memory connects");
    client.call(Touch {}).await.expect("is answered");
    let peer = server.hub().peers().pop().expect("the client is there");
    let mut sent = 0;
    while peer.try_send(Note { n: sent }).is_ok() {
        sent += 1;
        assert!(sent < 5_000, "the queue is bounded");
        tokio::task::yield_now().await;
    }
    for expected in 0..sent {
        let Some(TalkFromServer::Note(Note { n })) = inbox.recv().await else { panic!("a note is due") };
        assert_eq!(n, expected);
    }
    peer.try_send(Note { n: sent }).expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn the_hub_finds_counts_sends_and_closes() {
    let pair = pair().await;
    let ui = Arc::new(Book::default());
    let second = pair.server.connect(TalkClient, Arc::clone(&ui)).await.expect("memory connects");
    second.call(Touch {}).await.expect("is answered");
    pair.client.call(Touch {}).await.expect("is answered");
    let hub: pnet::Hub<Talk> = pair.server.hub();
    assert_eq!(hub.len(), 2);
    assert_eq!(hub.get(second.id()).expect("is there").id(), second.id());
    hub.send_to(second.id(), Push { n: 3 }).await.expect("is sent");
    ui.line("push 3").await;
    assert!(pair.ui.lines().is_empty(), "only the one it was for has got it");
    assert!(hub.close(second.id(), pnet::CloseCode::Normal, "too loud"));
    assert_eq!(second.closed().await.reason(), "too loud");
    pair.book.line("left: normal (too loud), 1 remain").await;
    assert!(!hub.close(second.id(), pnet::CloseCode::Normal, "again"));
    hub.send_to(second.id(), Push { n: 4 }).await.expect_err("is gone");
    assert_eq!(hub.peers().len(), 1);
}
