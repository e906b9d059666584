//! Who is told shapes, and what goes on where nobody is.

use pnet::{
    CallError, ConnectError, Json, Protocol,
    dynamic::{self, Direction},
    transport::PeerAddr,
};
use pnet_protocol::{document, handshake::ShapePolicy};
use pnet_tests::{
    gate::{Gate, GateServer, Porter},
    talk::Talk,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{far, in_time, serve, words};

#[tokio::test(start_paused = true)]
async fn strangers_are_told_names_only_and_are_checked_by_the_server() {
    let served = serve();
    let io = served.open(far()).await;
    let (talk, _inbox) = in_time(dynamic::connect().over(io, far())).await.expect("it is let in");
    assert_eq!(&*talk.schema(), document::write(Talk::INFO, ShapePolicy::Names));
    let action = talk.action(Direction::ToServer, "DIVIDE").expect("it is named");
    assert_eq!((action.is_described(), action.fields().len()), (false, 0));
    assert_eq!(action.shape(), "Divide -> Quotient or ByZero");
    let shape = |name| talk.action(Direction::ToServer, name).expect("it is named").shape();
    let shapes = ["NOTE", "TOUCH", "READ", "COUNT", "FOLLOW"].map(shape);
    let wanted =
        ["Note", "Touch -> ()", "Read -> Lines", "Count -> stream Number", "Follow -> stream Number or ByZero"];
    assert_eq!(shapes, wanted);
    let divide = |data| talk.call(Json::new("DIVIDE", data));
    let quotient = in_time(divide(json!({"a": 6, "b": 2}))).await.expect("it is answered");
    assert_eq!(quotient, Json::new("QUOTIENT", json!({"q": 3})));
    talk.check(&Json::new("DIVIDE", json!("anything"))).expect("there is nothing to check it by");
    match in_time(divide(json!({"a": 6}))).await {
        Err(CallError::Failed { code, .. }) => assert_eq!(code, "malformed"),
        other => panic!("{other:?}"),
    }
    let unknown = in_time(talk.call(Json::new("NOPE", json!({})))).await;
    assert!(matches!(unknown, Err(CallError::Json(_))), "names are known: {unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_schema_that_is_given_is_used() {
    let served = serve();
    let io = served.open(far()).await;
    let builder = dynamic::connect().schema(Talk::schema());
    let (talk, _inbox) = in_time(builder.over(io, far())).await.expect("it is let in");
    assert_eq!(&*talk.schema(), Talk::schema());
    let misfit = talk.check(&Json::new("DIVIDE", json!({"a": 6}))).expect_err("it does not fit");
    assert_eq!(words(&misfit), "the data does not fit `DIVIDE`: `data.b` is missing");

    let io = served.open(far()).await;
    let error = in_time(dynamic::connect().schema("{}").over(io, far())).await.expect_err("it is none");
    assert_eq!(words(&error), "schema: `pnet-schema` is missing, and this side reads 1");
    let io = served.open(far()).await;
    let gate = dynamic::connect().schema(Gate::schema());
    let error = in_time(gate.over(io, far())).await.expect_err("it is another protocol");
    assert!(matches!(error, ConnectError::Refused(_) | ConnectError::Handshake(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn who_has_shown_credentials_is_told_shapes_wherever_it_is() {
    let server = pnet::serve(GateServer, Porter::wants("sesame")).in_memory();
    let connect = |builder: dynamic::Builder| async {
        let io = server.connector().open().await.expect("the server accepts");
        in_time(builder.over(io, PeerAddr::Memory)).await
    };
    let shown = json!({"word": "sesame"});
    let (gate, _inbox) = connect(dynamic::connect().credentials(shown)).await.expect("it is let in");
    assert_eq!((&*gate.schema(), gate.credentials()), (&*Gate::schema(), Some("Pass")));
    let you = in_time(gate.call(Json::new("WHO", json!({})))).await.expect("it is answered");
    assert_eq!(you.action(), "YOU");
    let refused = connect(dynamic::connect().credentials(json!({"word": "wrong"}))).await;
    assert!(matches!(refused, Err(ConnectError::Refused(_))), "{refused:?}");
    let refused = connect(dynamic::connect()).await;
    assert!(matches!(refused, Err(ConnectError::Refused(_))), "{refused:?}");
    let long = connect(dynamic::connect().credentials(Value::from("x".repeat(4000)))).await;
    assert!(matches!(long, Err(ConnectError::Credentials(_))), "{long:?}");

    // Beyond this machine they need TLS.
    let (io, _other) = tokio::io::duplex(1024);
    let plain = in_time(dynamic::connect().credentials(json!("x")).over(io, far())).await;
    assert!(matches!(plain, Err(ConnectError::PlaintextCredentials)), "{plain:?}");
}

/// A client that asks again and again, and does not read, costs the server a megabyte and not more.
#[tokio::test(start_paused = true)]
async fn asking_in_a_loop_is_bounded() {
    let served = serve();
    let mut io = served.open(far()).await;
    let len = document::write(Talk::INFO, ShapePolicy::Names).len();
    let asked = 1024 * 1024 / len + 200;
    let question = r#"{"action":"pnet.schema","id":1}"#.repeat(asked);
    // It may be closed before all of it is read.
    let _ = in_time(io.write_all(question.as_bytes())).await;
    let mut came = Vec::new();
    let _ = in_time(io.read_to_end(&mut came)).await;
    assert!(came.len() < 2 * 1024 * 1024, "{} bytes", came.len());
    let text = String::from_utf8_lossy(&came);
    assert!(text.contains(r#""code":"busy""#) && text.contains(r#""action":"pnet.close""#), "it is told to stop");
}
