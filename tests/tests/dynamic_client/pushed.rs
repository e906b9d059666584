//! What the server sends of its own accord, and what the client answers.

use pnet::{CallError, CloseCode, Failure, Json, Limits, Protocol, SendError, dynamic, transport::PeerAddr};
use pnet_tests::talk::{Ask, Note, Push, Tail, Talk, Told};
use serde_json::json;

use super::support::{in_time, serve};

#[tokio::test(start_paused = true)]
async fn pushes_come_in_order() {
    let served = serve();
    let (talk, mut inbox) = served.connect().await;
    in_time(talk.send(&Json::new("FLOOD", json!({"pushes": 300})))).await.expect("it is declared");
    for n in 0..300 {
        let received = in_time(inbox.recv()).await.expect("the connection is open");
        assert_eq!(received.packet, Json::new("PUSH", json!({"n": n})));
        assert!(received.call.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_answered_as_they_may_be() {
    let served = serve();
    let (_talk, mut inbox) = served.connect().await;
    let peer = served.server.hub().latest().expect("it is there");
    let ask = |n| {
        let peer = peer.clone();
        tokio::spawn(async move { peer.call(Ask { n }).await })
    };

    let asked = ask(4);
    let received = in_time(inbox.recv()).await.expect("the connection is open");
    assert_eq!(received.packet, Json::new("ASK", json!({"n": 4})));
    let mut call = received.call.expect("it is a call");
    assert_eq!(call.action().shape(), "{n: u32} -> {n: u32}");
    for (wrong, expected) in [
        (Json::new("NOPE", json!({})), "`ASK` is not answered with \"NOPE\""),
        (Json::new("pnet.done", json!(null)), "`ASK` is not answered with \"pnet.done\""),
        (Json::new("TOLD", json!({"n": "8"})), "the data does not fit `TOLD`"),
    ] {
        assert_eq!(call.reply_json(&wrong).expect_err("it is no answer").to_string(), expected);
    }
    call.reply_json(&Json::new("TOLD", json!({"n": 8}))).expect("it is the answer");
    assert_eq!(in_time(asked).await.expect("no panic").expect("it is answered"), Told { n: 8 });
    call.reply_json(&Json::new("TOLD", json!({"n": 9}))).expect("it stays answered");

    let asked = ask(5);
    let mut call = in_time(inbox.recv()).await.and_then(|received| received.call).expect("it is a call");
    call.fail(Failure::public("no-time", "later"));
    match in_time(asked).await.expect("no panic") {
        Err(CallError::Failed { code, message }) => assert_eq!((&*code, &*message), ("no-time", "later")),
        other => panic!("{other:?}"),
    }

    let asked = ask(6);
    drop(in_time(inbox.recv()).await.expect("the connection is open"));
    let dropped = in_time(asked).await.expect("no panic");
    assert!(matches!(&dropped, Err(CallError::Failed { code, .. }) if code == "internal"), "{dropped:?}");

    // Nobody reads any more.
    drop(inbox);
    let unread = in_time(ask(7)).await.expect("no panic");
    assert!(matches!(&unread, Err(CallError::Failed { code, .. }) if code == "unsupported"), "{unread:?}");
}

#[tokio::test(start_paused = true)]
async fn streams_that_the_server_opens_are_produced() {
    let served = serve();
    let (_talk, mut inbox) = served.connect().await;
    let peer = served.server.hub().latest().expect("it is there");
    let mut tail = peer.stream(Tail { to: 2 });
    let read = tokio::spawn(async move {
        let mut numbers = Vec::new();
        while let Some(number) = tail.next().await {
            numbers.push(number.map(|number| number.n).map_err(|error| error.to_string()));
        }
        numbers
    });
    let mut call = in_time(inbox.recv()).await.and_then(|received| received.call).expect("it is a call");
    for n in 1..=2 {
        in_time(call.send_json(&Json::new("NUMBER", json!({"n": n})))).await.expect("there is credit");
    }
    let wrong = in_time(call.send_json(&Json::new("TOLD", json!({"n": 1})))).await;
    assert!(matches!(wrong, Err(SendError::Json(_))), "{wrong:?}");
    call.reply_json(&Json::new("pnet.end", json!(null))).expect("that ends it");
    assert_eq!(in_time(read).await.expect("no panic"), [Ok(1), Ok(2)]);
    in_time(call.send_json(&Json::new("NUMBER", json!({"n": 3})))).await.expect_err("it has ended");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_read_is_closed_and_not_held() {
    let served = serve();
    let mut limits = Limits::default();
    limits.packets(2);
    let io = served.open(PeerAddr::Memory).await;
    let connecting = dynamic::connect().limits(limits).over(io, PeerAddr::Memory);
    let (talk, inbox) = in_time(connecting).await.expect("it is let in");
    let peer = served.server.hub().latest().expect("it is there");
    for n in 0..100 {
        if in_time(peer.send(Push { n })).await.is_err() {
            break;
        }
    }
    let why = in_time(talk.closed()).await;
    assert_eq!(why.code(), CloseCode::Overloaded, "{why}");
    drop(inbox);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_answered_as_malformed() {
    // This client has been given another schema than the server's own.
    let served = serve();
    let other = Talk::schema().replace(
        r#""Push":{"struct":[{"name":"n","type":"u32"}]}"#,
        r#""Push":{"struct":[{"name":"n","type":"str"}]}"#,
    );
    assert_ne!(other, Talk::schema());
    let io = served.open(PeerAddr::Memory).await;
    let connecting = dynamic::connect().schema(other).over(io, PeerAddr::Memory);
    let (_talk, mut inbox) = in_time(connecting).await.expect("it is let in");
    let peer = served.server.hub().latest().expect("it is there");
    in_time(peer.send(Push { n: 1 })).await.expect("it is sent");
    in_time(peer.send(Note { n: 2 })).await.expect("it is sent");
    let received = in_time(inbox.recv()).await.expect("the connection is open");
    assert_eq!(received.packet, Json::new("NOTE", json!({"n": 2})));
}
