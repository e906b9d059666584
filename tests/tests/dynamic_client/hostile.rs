//! Servers that know no schema, tell a wrong one, or leave.

use std::time::Duration;

use pnet::{CloseCode, ConnectError, Json, Limits, SchemaError, SchemaFault, dynamic};
use serde_json::json;

use super::support::{End, in_time, meet, words};

const HELLO: &str = r#"{"action":"handShake","data":{"status":"success","pnet":1}}"#;

/// A server that lets in, and answers the question with this.
fn answer(text: impl Into<String>) -> [String; 2] {
    [HELLO.to_owned(), text.into()]
}

async fn told(lines: impl IntoIterator<Item = String, IntoIter: Send> + Send + 'static, end: End) -> ConnectError {
    meet(dynamic::connect(), lines, end).await.map(|_| ()).expect_err("there is no schema")
}

#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_schema_is_an_error_that_says_so() {
    let older = r#"{"action":"pnet.failure","data":{"code":"unknown-action","message":"there is no action"},"re":"pnet.schema"}"#;
    let error = told(answer(older), End::Silent).await;
    let expected = "the server does not say what its protocol is: there is no action (unknown-action)";
    assert_eq!(words(&error), expected);
    assert!(matches!(error, ConnectError::NoSchema { .. }));
    for lines in [
        answer(r#"{"action":"pnet.done","data":null,"re":"pnet.schema"}"#),
        answer(r#"{"action":"ECHO","re":"pnet.schema"}"#),
    ] {
        assert!(matches!(told(lines, End::Silent).await, ConnectError::NoSchema { .. }));
    }
    // One that ignores the question, one that leaves, and one of the old form.
    let silent = told([HELLO.to_owned()], End::Silent).await;
    assert_eq!(words(&silent), "the server does not say what its protocol is: it has not answered within 5s");
    let error = told(answer(""), End::Leaves).await;
    assert_eq!(words(&error), "the server does not say what its protocol is: it has closed the connection");
    let old = r#"{"action":"handShake","data":{"status":"success","uuid":"x"}}"#;
    assert_eq!(
        words(&told([old.to_owned()], End::Silent).await),
        "the server does not say what its protocol is: it is of the old form"
    );
    let closes = answer(r#"{"action":"pnet.close","data":{"code":"going-away","reason":"bye"}}"#);
    match told(closes, End::Silent).await {
        ConnectError::Refused(closed) => assert_eq!((closed.code(), closed.reason()), (CloseCode::GoingAway, "bye")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_handshake_may_refuse_without_re() {
    // Nothing comes for 2 s after the client's hello; then the question is answered.
    let (here, mut there) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut buffer = [0; 4096];
        for _ in 0..2 {
            assert!(there.read(&mut buffer).await.expect("it is open") > 0);
        }
        let failure = br#"{"action":"pnet.failure","data":{"code":"what","message":"no"}}"#;
        there.write_all(failure).await.expect("it is open");
        while there.read(&mut buffer).await.unwrap_or(0) > 0 {}
    });
    let error =
        in_time(dynamic::connect().over(here, pnet::transport::PeerAddr::Memory)).await.expect_err("it refuses");
    assert_eq!(words(&error), "the server does not say what its protocol is: no (what)");
    in_time(server).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_schema_that_is_none_is_an_error_that_says_where() {
    let error =
        told(answer(r#"{"action":"pnet.schema","data":{"pnet-schema":2},"re":"pnet.schema"}"#), End::Silent).await;
    assert_eq!(words(&error), "schema: `pnet-schema` is 2, and this side reads 1");
    let error = told(answer(r#"{"action":"pnet.schema","re":"pnet.schema"}"#), End::Silent).await;
    assert!(matches!(error, ConnectError::Schema(SchemaError::Format { .. })), "{error:?}");
    let error = told(answer(r#"{"action":"pnet.schema","data":[1,]},"re":"pnet.schema"}"#), End::Silent).await;
    assert!(matches!(error, ConnectError::Handshake(_)), "{error:?}");
    let error = told(answer(r#"{"action":"pnet.schema","data":{"pnet-schema":1,"protocol":"X","client":[{"action":"pnet.ping","packet":"P"}]},"re":"pnet.schema"}"#), End::Silent).await;
    match error {
        ConnectError::Schema(SchemaError::Part { path, fault: SchemaFault::Reserved(action) }) => {
            assert_eq!((&*path, &*action), ("client[0].action", "pnet.ping"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_this_side_takes_is_an_error() {
    let mut limits = Limits::default();
    limits.max_frame_len(4096);
    let long = format!(r#"{{"action":"pnet.schema","data":"{}","re":"pnet.schema"}}"#, "x".repeat(8000));
    let lines = answer(long);
    let error =
        meet(dynamic::connect().limits(limits), lines, End::Silent).await.map(|_| ()).expect_err("it is too long");
    assert!(words(&error).contains("an object of more than 4096 bytes"), "{}", words(&error));
    let pushes = r#"{"action":"A","data":1}"#.repeat(100_000);
    let lines = answer(pushes);
    let error = told(lines, End::Silent).await;
    assert!(words(&error).contains("more than 1048576 bytes"), "{}", words(&error));
}

/// A push and a ping that come before the answer are not lost, and neither is what comes behind it.
#[tokio::test(start_paused = true)]
async fn what_comes_around_the_answer_is_handled() {
    let lines = answer(concat!(
        r#"{"action":"TICK","data":{"n":1}} {"action":"pnet.ping","data":7}"#,
        r#"{"action":"pnet.schema","data":{"pnet-schema":1,"protocol":"Clock","server":["#,
        r#"{"action":"TICK","packet":"Tick","codec":"postcard","data":{"struct":[{"name":"n","type":"u8"}]}}]},"re":"pnet.schema"}"#,
        "\n",
        r#"{"action":"TICK","data":{"n":2}}"#
    ));
    let (clock, mut inbox) = meet(dynamic::connect(), lines, End::Silent).await.expect("it has a schema");
    assert_eq!(clock.protocol(), "Clock");
    for n in 1..=2 {
        let received = in_time(inbox.recv()).await.expect("the connection is open");
        assert_eq!(received.packet, Json::new("TICK", json!({"n": n})));
    }
    assert!(!clock.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_whole_handshake_has_one_deadline() {
    let begun = tokio::time::Instant::now();
    let builder = dynamic::connect().handshake_timeout(Duration::from_secs(3));
    let error = meet(builder, [HELLO.to_owned()], End::Silent).await.map(|_| ()).expect_err("it does not answer");
    assert!(matches!(error, ConnectError::NoSchema { .. }), "{error:?}");
    // And a second for the last words.
    assert!(begun.elapsed() <= Duration::from_secs(5), "{:?}", begun.elapsed());
}
