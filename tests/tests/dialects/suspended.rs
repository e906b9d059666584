//! Suspending a connection means the same in JSON: what this side would send of its own accord is refused, and nothing
//! else changes.

use std::sync::Arc;

use pnet::{CallError, Dialect, SendError};
use pnet_tests::talk::{Ask, AskBack, Book, Divide, Note, Push, TalkClient, TalkServer};
use serde_json::json;

use super::support::{Now, read_now, read_until, settle, write};

#[tokio::test(start_paused = true)]
async fn a_suspended_json_client_is_answered_and_pushed_nothing() {
    let (book, ui) = (Arc::new(Book::default()), Arc::new(Book::default()));
    let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
    let hub = server.hub();
    let builder = pnet::connect(TalkClient, Arc::clone(&ui)).dialect(Dialect::Json);
    let json = server.connect_with(builder).await.expect("memory connects");
    let native_ui = Arc::new(Book::default());
    let native = server.connect(TalkClient, Arc::clone(&native_ui)).await.expect("memory connects");
    let peer = hub.get(json.id()).expect("is there, under the id that the client has");
    let info = hub.info(json.id()).expect("is there");
    assert_eq!((info.dialect, info.suspended), (Dialect::Json, false));
    assert_eq!(hub.info(native.id()).expect("is there").dialect, Dialect::Native);

    let open = tokio::spawn(peer.call(Ask { n: 4 }));
    settle().await;
    peer.suspend();
    assert!(hub.info(json.id()).expect("is there").suspended);
    assert!(matches!(peer.send(Push { n: 1 }).await, Err(SendError::Suspended)));
    assert!(matches!(peer.call(Ask { n: 1 }).await, Err(CallError::Suspended)));
    let sent = hub.broadcast(&Push { n: 2 });
    assert_eq!((sent.queued, sent.skipped, sent.dropped), (1, 1, 0));
    native_ui.line("push 2").await;
    assert_eq!(open.await.expect("no panic").expect("a call that was open is answered").n, 8);

    json.send(Note { n: 5 }).await.expect("is sent");
    assert_eq!(json.call(Divide { a: 8, b: 4 }).await.expect("is answered").q, 2);
    assert_eq!(book.lines(), ["note 5"]);
    // A handler that asks back gets to know, too.
    let error = json.call(AskBack { n: 1 }).await.expect_err("its handler cannot ask");
    assert!(matches!(error, CallError::Failed { .. }), "{error:?}");
    assert_eq!(ui.lines(), ["asked 4"]);

    peer.resume();
    peer.send(Push { n: 3 }).await.expect("is taken again");
    assert_eq!(peer.call(Ask { n: 6 }).await.expect("is answered").n, 12);
    assert_eq!(ui.lines(), ["asked 4", "push 3", "asked 6"]);
    let info = peer.info();
    assert_eq!((info.sent.packets, info.sent.calls), (1, 2));
    assert_eq!((info.received.packets, info.received.calls), (1, 2));

    peer.suspend();
    assert!(hub.close(json.id(), pnet::CloseCode::Normal, "enough"));
    assert_eq!(json.closed().await.reason(), "enough");
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_refusals_and_the_end_go_to_a_suspended_program() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"handShake","data":{"pnet":1}}"#).await;
    read_until(&mut io, "handShake").await;
    let peer = server.hub().latest().expect("is there");
    peer.suspend();
    assert_eq!(server.hub().broadcast(&Push { n: 1 }).skipped, 1);

    write(&mut io, r#"{"action":"pnet.ping","data":17}"#).await;
    let pong = read_until(&mut io, "pnet.pong").await;
    assert_eq!((pong.len(), &pong[0]["data"]), (1, &json!(17)));
    write(&mut io, r#"{"action":"WHAT","id":1}"#).await;
    let failure = read_until(&mut io, "pnet.failure").await;
    assert_eq!((&failure[0]["re"], &failure[0]["data"]["code"]), (&json!(1), &json!("unknown-action")));
    // With and without a number.
    write(&mut io, r#"{"action":"TOUCH","id":"t"}{"action":"DIVIDE","data":{"a":9,"b":3}}"#).await;
    let answers = read_until(&mut io, "QUOTIENT").await;
    assert_eq!((&answers[0]["action"], &answers[0]["re"]), (&json!("pnet.done"), &json!("t")));
    assert_eq!((answers.len(), &answers[1]["data"]["q"]), (2, &json!(3)));
    settle().await;
    assert_eq!(read_now(&mut io).await, Now::Nothing);

    peer.close(pnet::CloseCode::Normal, "enough");
    let last = read_until(&mut io, "pnet.close").await;
    assert_eq!((last.len(), &last[0]["data"]["reason"]), (1, &json!("enough")));
    assert_eq!(read_now(&mut io).await, Now::Ended);
}
