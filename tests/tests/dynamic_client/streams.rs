//! Streams that are opened by packets made at run time: by clients of both kinds, and by servers.

use std::sync::Arc;

use futures_util::StreamExt as _;
use pnet::{CallError, Client, Dialect, Json, JsonError, JsonStreaming};
use pnet_tests::talk::{Book, Talk, TalkClient, TalkServer};
use serde_json::json;

use super::support::{in_time, serve, words};

/// What a stream gives, and how it ends.
async fn all(mut stream: JsonStreaming) -> (Vec<u64>, String) {
    let mut numbers = Vec::new();
    loop {
        match in_time(stream.next()).await {
            Some(Ok(item)) => {
                assert_eq!(item.action(), "NUMBER");
                numbers.push(item.data()["n"].as_u64().expect("a number"));
            }
            None => return (numbers, "done".to_owned()),
            Some(Err(CallError::Declared(error))) => return (numbers, format!("{} {}", error.action(), error.data())),
            Some(Err(error)) => return (numbers, words(&error)),
        }
    }
}

/// The same for every kind of client: how a stream is opened by a packet.
async fn check(open: impl Fn(&Json) -> JsonStreaming, book: &Book) {
    let (numbers, end) = all(open(&Json::new("COUNT", json!({"to": 200})))).await;
    assert_eq!((numbers, &*end), ((1..=200).collect(), "done"));
    let follow = |then: &str| Json::new("FOLLOW", json!({"to": 2, "then": then}));
    assert_eq!(all(open(&follow("Declared"))).await, (vec![1, 2], "BY_ZERO {}".to_owned()));
    let failed = "the peer could not answer: that is all (no-more)";
    assert_eq!(all(open(&follow("Public"))).await, (vec![1, 2], failed.to_owned()));
    let late = all(open(&follow("Never")).timeout(std::time::Duration::from_secs(1))).await;
    assert_eq!(late, (vec![1, 2], "no answer within 1s".to_owned()));
    in_time(book.line("follow was cancelled")).await;

    // What is wrong with it is the only item.
    for (packet, expected) in [
        (Json::new("NOTE", json!({"n": 1})), "`NOTE` is not answered with a stream: use `call_json` or `send_json`"),
        (Json::new("TOUCH", json!({})), "`TOUCH` is not answered with a stream: use `call_json` or `send_json`"),
        (Json::new("NOPE", json!({})), "this side of `Talk` sends no action \"NOPE\""),
        (Json::new("COUNT", json!({"to": -1})), "the data does not fit `COUNT`: `data.to`: -1 does not fit u32"),
    ] {
        let mut stream = open(&packet);
        match in_time(stream.next()).await {
            Some(Err(CallError::Json(error))) => assert_eq!(words(&error), expected),
            other => panic!("{other:?}"),
        }
        assert!(in_time(stream.next()).await.is_none());
    }

    // Dropped, it tells the producer.
    let mut stream = open(&Json::new("COUNT", json!({"to": 1_000_000})));
    assert_eq!(in_time(stream.next()).await.expect("an item").expect("a number").data(), &json!({"n": 1}));
    drop(stream);
    in_time(book.line("count 1000000 was cancelled")).await;
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_client_reads_streams() {
    let served = serve();
    let (talk, _inbox) = served.connect().await;
    check(|packet| talk.stream(packet), &served.book).await;
}

#[tokio::test(start_paused = true)]
async fn typed_clients_read_streams_in_both_dialects() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let book = Arc::new(Book::default());
        let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
        let builder = pnet::connect(TalkClient, Book::default()).dialect(dialect);
        let talk: Client<Talk> = in_time(server.connect_with(builder)).await.expect("it is let in");
        check(|packet| talk.stream_json(packet), &book).await;
        // And servers do.
        let peer = server.hub().latest().expect("it is there");
        let (numbers, end) = all(peer.stream_json(&Json::new("TAIL", json!({"to": 3})))).await;
        assert_eq!((numbers, &*end), (vec![1, 2, 3], "done"));
        let items: Vec<_> = in_time(peer.stream_json(&Json::new("TAIL", json!({"to": 2}))).collect()).await;
        assert_eq!(items.len(), 2);
        let called = in_time(peer.call_json(Json::new("TAIL", json!({"to": 3})))).await;
        assert!(matches!(called, Err(CallError::Json(JsonError::Streamed { action: "TAIL" }))), "{called:?}");
    }
}
