//! Every kind of action, and what is checked before it is sent.

use pnet::{
    CallError, CloseCode, Json, JsonError, Protocol, SendError,
    dynamic::{Direction, Kind},
};
use pnet_tests::talk::Talk;
use serde_json::json;

use super::support::{in_time, serve, words};

#[tokio::test(start_paused = true)]
async fn what_is_declared_is_known() {
    let served = serve();
    let (talk, _inbox) = served.connect().await;
    assert_eq!(talk.protocol(), "Talk");
    assert_eq!(&*talk.schema(), Talk::schema());
    let names = |direction| talk.actions(direction).map(|action| action.action()).collect::<Vec<_>>();
    let declared =
        |actions: &[pnet_protocol::protocol::ActionInfo]| actions.iter().map(|info| info.action).collect::<Vec<_>>();
    assert_eq!(names(Direction::ToServer), declared(Talk::INFO.client.actions));
    assert_eq!(names(Direction::ToClient), declared(Talk::INFO.server.actions));
    let action = |name| talk.action(Direction::ToServer, name).expect("it is declared");
    assert_eq!(
        (action("NOTE").kind(), action("TOUCH").kind(), action("COUNT").kind()),
        (Kind::OneWay, Kind::Call, Kind::Stream)
    );
    assert_eq!(action("DIVIDE").shape(), "{a: i64, b: i64} -> {q: i64} or {}");
    assert_eq!((action("DIVIDE").packet(), action("DIVIDE").is_described()), ("Divide", true));
    let fields = action("FOLLOW").fields();
    let fields: Vec<_> = fields.iter().map(|field| (field.name, field.ty.as_str(), field.required)).collect();
    let then = "Done | Declared | Public | Panic | Gate | Never | WhenTold";
    assert_eq!(fields, [("to", "u32", true), ("then", then, true)]);
    assert!(talk.action(Direction::ToServer, "PUSH").is_none());
}

#[tokio::test(start_paused = true)]
async fn packets_are_sent_and_calls_are_answered() {
    let served = serve();
    let (talk, _inbox) = served.connect().await;
    in_time(talk.send(&Json::new("NOTE", json!({"n": 3})))).await.expect("it is declared");
    in_time(served.book.line("note 3")).await;
    let call = |action: &str, data| {
        let packet = Json::new(action, data);
        in_time(talk.call(packet))
    };
    let quotient = call("DIVIDE", json!({"a": 7, "b": -2})).await.expect("it is answered");
    assert_eq!(quotient, Json::new("QUOTIENT", json!({"q": -3})));
    match call("DIVIDE", json!({"a": 1, "b": 0})).await {
        Err(CallError::Declared(error)) => assert_eq!(error, Json::new("BY_ZERO", json!({}))),
        other => panic!("{other:?}"),
    }
    assert_eq!(call("TOUCH", json!({})).await.expect("it is acknowledged"), Json::new("pnet.done", json!(null)));
    match call("BREAK", json!({"how": "Public"})).await {
        Err(CallError::Failed { code, message }) => assert_eq!((&*code, &*message), ("too-early", "come back at nine")),
        other => panic!("{other:?}"),
    }
    in_time(talk.ping()).await.expect("the server answers");
    assert!(talk.rtt().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused_before_it_is_sent() {
    let served = serve();
    let (talk, _inbox) = served.connect().await;
    for (packet, expected) in [
        (Json::new("DIVIDE", json!({"a": 1})), "the data does not fit `DIVIDE`: `data.b` is missing"),
        (
            Json::new("DIVIDE", json!({"a": 1, "c": 2})),
            "the data does not fit `DIVIDE`: `data.c` is no field; there are `a`: i64 (required), `b`: i64 (required)",
        ),
        (
            Json::new("BREAK", json!({"how": "Never"})),
            "the data does not fit `BREAK`: `data.how`: no variant `Never`; there are `Panic`, `PanicLater`, `Secret`, \
             `Public`, `Not`",
        ),
        (Json::new("PUSH", json!({"n": 1})), "this side of `Talk` sends no action \"PUSH\""),
    ] {
        assert_eq!(words(&talk.check(&packet).expect_err("it does not fit")), expected);
        match in_time(talk.call(packet)).await {
            Err(CallError::Json(error)) => assert_eq!(words(&error), expected),
            other => panic!("{other:?}"),
        }
    }
    // What fits may still be asked for in the wrong way.
    let (note, touch) = (Json::new("NOTE", json!({"n": 3})), Json::new("TOUCH", json!({})));
    let count = Json::new("COUNT", json!({"to": 1}));
    for packet in [&note, &touch, &count] {
        talk.check(packet).expect("it fits");
    }
    let sent = in_time(talk.send(&touch)).await;
    assert!(matches!(sent, Err(SendError::Json(JsonError::Answered { action: "TOUCH" }))), "{sent:?}");
    let called = in_time(talk.call(note)).await;
    assert!(matches!(called, Err(CallError::Json(JsonError::OneWay { action: "NOTE" }))), "{called:?}");
    match in_time(talk.call(count)).await {
        Err(CallError::Json(error @ JsonError::Streamed { action: "COUNT" })) => {
            assert_eq!(error.to_string(), "`COUNT` is answered with a stream: use `stream_json`");
        }
        other => panic!("{other:?}"),
    }
    assert!(served.book.lines().is_empty(), "{:?}", served.book.lines());
}

#[tokio::test(start_paused = true)]
async fn a_connection_lives_as_long_as_its_clients() {
    let served = serve();
    let (talk, mut inbox) = served.connect().await;
    let other = talk.clone();
    drop(talk);
    assert!(!other.is_closed());
    in_time(other.call(Json::new("TOUCH", json!({})))).await.expect("it is still open");
    drop(other);
    assert!(in_time(inbox.recv()).await.is_none());
    in_time(served.book.line("left: normal (the last client handle was dropped), 0 remain")).await;

    let (talk, mut inbox) = served.connect().await;
    let closed = in_time(talk.close()).await;
    assert_eq!(closed.code(), CloseCode::Normal);
    assert!(talk.is_closed() && in_time(inbox.recv()).await.is_none());
    let late = in_time(talk.call(Json::new("TOUCH", json!({})))).await;
    assert!(matches!(late, Err(CallError::Disconnected { .. })), "{late:?}");

    let (talk, _inbox) = served.connect().await;
    let peer = served.server.hub().latest().expect("it is there");
    assert_eq!(peer.id(), talk.id());
    peer.close(CloseCode::Refused, "enough");
    let why = in_time(talk.closed()).await;
    assert_eq!((why.code(), why.reason()), (CloseCode::Refused, "enough"));
}
