//! Packets whose action and data are made at run time, to peers of both dialects.

use std::{error::Error as _, sync::Arc};

use pnet::{CallError, Client, Dialect, Json, JsonError, SendError, memory::MemoryServer, transport::PeerAddr};
use pnet_tests::talk::{Book, Talk, TalkClient, TalkServer};
use serde_json::json;

use super::support::settle;

async fn client(server: &MemoryServer<Talk>, dialect: Dialect, ui: &Arc<Book>) -> Client<Talk> {
    let io = server.connector().open().await.expect("memory connects");
    let builder = pnet::connect(TalkClient, Arc::clone(ui)).dialect(dialect);
    builder.over(io, PeerAddr::Memory).await.expect("the server lets everybody in")
}

/// Everything that an error says, its sources included.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

#[tokio::test(start_paused = true)]
async fn they_arrive_as_typed_packets_do_in_both_dialects() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let book = Arc::new(Book::default());
        let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
        let ui = Arc::new(Book::default());
        let talk = client(&server, dialect, &ui).await;
        talk.send_json(&Json::new("NOTE", json!({"n": 7}))).await.expect("it is declared");
        let lines = talk.call_json(Json::new("READ", json!({}))).await.expect("it is answered");
        assert_eq!(lines, Json::new("LINES", json!({"lines": ["note 7"]})), "{dialect}");

        let quotient = talk.call_json(Json::new("DIVIDE", json!({"a": 7, "b": -2}))).await.expect("it is answered");
        assert_eq!((quotient.action(), quotient.data()), ("QUOTIENT", &json!({"q": -3})));
        match talk.call_json(Json::new("DIVIDE", json!({"b": 0, "a": 1}))).await {
            Err(CallError::Declared(error)) => assert_eq!(error, Json::new("BY_ZERO", json!({}))),
            other => panic!("{other:?}"),
        }
        let done = talk.call_json(Json::new("TOUCH", json!({}))).await.expect("it is acknowledged");
        assert_eq!(done, Json::new("pnet.done", json!(null)));
        let echoed = talk.call_json(Json::new("ECHO", json!({"data": "AAEC"}))).await.expect("it is answered");
        assert_eq!(echoed.into_data(), json!({"data": "AAEC"}));
        match talk.call_json(Json::new("BREAK", json!({"how": "Public"}))).await {
            Err(CallError::Failed { code, .. }) => assert_ne!(code, "internal"),
            other => panic!("{other:?}"),
        }

        // The same from the server.
        let peer = server.hub().latest().expect("it is there");
        assert_eq!(peer.dialect(), dialect);
        peer.send_json(&Json::new("PUSH", json!({"n": 1}))).await.expect("it is declared");
        let told = peer.call_json(Json::new("ASK", json!({"n": 21}))).await.expect("it is answered");
        assert_eq!(told, Json::new("TOLD", json!({"n": 42})));
        settle().await;
        assert!(ui.lines().iter().any(|line| line.contains("push 1")), "{:?}", ui.lines());
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_both_dialects() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let uis = [(); 2].map(|()| Arc::new(Book::default()));
    let _native = client(&server, Dialect::Native, &uis[0]).await;
    let _json = client(&server, Dialect::Json, &uis[1]).await;
    let sent = server.hub().broadcast_json(&Json::new("PUSH", json!({"n": 9}))).expect("it is declared");
    assert_eq!((sent.queued, sent.skipped, sent.dropped), (2, 0, 0));
    for ui in &uis {
        ui.after(1).await;
        assert_eq!(ui.lines(), uis[0].lines());
    }
    let refused = server.hub().broadcast_json(&Json::new("PUSH", json!({"n": -1}))).expect_err("it does not fit");
    assert_eq!(words(&refused), "the data does not fit `PUSH`: `data.n`: -1 does not fit u32");
}

/// The same words in both dialects, and nothing is sent.
#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_with_the_name_of_the_field() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let book = Arc::new(Book::default());
        let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
        let talk = client(&server, dialect, &Arc::default()).await;
        for (action, data, expected) in [
            ("NOTE", json!({}), "the data does not fit `NOTE`: `data.n` is missing"),
            (
                "NOTE",
                json!({"n": 1, "m": 2}),
                "the data does not fit `NOTE`: `data.m` is no field; there is `n`: u32 (required)",
            ),
            (
                "NOTE",
                json!({"n": 4_294_967_296_u64}),
                "the data does not fit `NOTE`: `data.n`: 4294967296 does not fit u32",
            ),
            (
                "NOTE",
                json!({"n": 1.5}),
                "the data does not fit `NOTE`: `data.n`: an integer is wanted, and this is a float (a point, an exponent, or more than 64 bits)",
            ),
            ("NOPE", json!({}), "this side of `Talk` sends no action \"NOPE\""),
            ("PUSH", json!({"n": 1}), "this side of `Talk` sends no action \"PUSH\""),
            ("READ", json!({}), "`READ` is answered: use `call_json`"),
            ("COUNT", json!({}), "`COUNT` is answered with a stream: use `stream_json`"),
        ] {
            match talk.send_json(&Json::new(action, data)).await {
                Err(SendError::Json(error)) => assert_eq!(words(&error), expected, "{dialect}"),
                other => panic!("{other:?}"),
            }
        }
        let error = talk.call_json(Json::new("NOTE", json!({"n": 1}))).await.expect_err("it has no answer");
        assert!(matches!(error, CallError::Json(JsonError::OneWay { action: "NOTE" })), "{error:?}");
        let error = talk.call_json(Json::new("COUNT", json!({}))).await.expect_err("it opens a stream");
        assert!(matches!(error, CallError::Json(JsonError::Streamed { action: "COUNT" })), "{error:?}");
        let error = talk.call_json(Json::new("DIVIDE", json!({"a": "1", "b": 1}))).await.expect_err("it does not fit");
        assert!(words(error.source().expect("the call says why")).contains("`data.a`: an integer is wanted"));
        settle().await;
        assert!(book.lines().iter().all(|line| !line.contains("note")), "{:?}", book.lines());
    }
}
