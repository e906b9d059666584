//! What clients show: as it travels, where it is missing, and where it is something else.

use pnet::{CloseCode, ConnectError, Credentials as _, CredentialsError, Dialect, Protocol as _, transport::PeerAddr};
use pnet_protocol::{
    frame::{Frame, PREFACE, decode},
    handshake::{ClientHandshake, ShapePolicy},
    limits::{CREDENTIALS_LEN, HANDSHAKE_FRAME_LEN, Limits},
};
use pnet_tests::{
    gate::{Gate, GateClient, Pass, Porter, Who},
    keys,
    log::Log,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::support::{Served, client, far, serve, visitor};

fn open_to_all() -> Served {
    serve(Porter::new(async |pass, _| visitor(&pass.word)), |builder| builder)
}

/// What a native client that shows this says first.
fn hello(credentials: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientHandshake::new(Gate::INFO, credentials, &Limits::default(), ShapePolicy::Names, &mut bytes);
    bytes
}

#[tokio::test]
async fn they_travel_as_json_in_both_dialects() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let (here, mut there) = duplex(1 << 16);
        let connecting = tokio::spawn(client("o\"pen\u{e9}").dialect(dialect).over::<Gate>(here, PeerAddr::Memory));
        let mut said = Vec::new();
        let shown = match dialect {
            Dialect::Json => "\"credentials\":{\"word\":\"o\\\"pen\u{e9}\"}",
            _ => "{\"word\":\"o\\\"pen\u{e9}\"}",
        };
        while !String::from_utf8_lossy(&said).contains(shown) {
            assert_ne!(there.read_buf(&mut said).await.expect("memory reads"), 0, "{dialect}");
        }
        connecting.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_shows_nothing_is_told_so_before_anything_is_connected_to() {
    let nothing = pnet::connect(GateClient, ());
    let error = nothing.to::<Gate>(("127.0.0.1", 1)).await.expect_err("shows nothing");
    assert!(matches!(error, ConnectError::NoCredentials { protocol: "Gate", credentials: "Pass" }), "{error:?}");
    assert_eq!(error.to_string(), "clients of `Gate` show credentials: call `.credentials(…)` with a `Pass`");
    let reconnecting = pnet::connect(GateClient, ()).reconnect(pnet::Backoff::default());
    let error = reconnecting.to::<Gate>(("127.0.0.1", 1)).await.expect_err("shows nothing");
    assert!(matches!(error, ConnectError::NoCredentials { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn who_shows_nothing_all_the_same_is_refused() {
    let served = open_to_all();
    let said = served.say(&hello(b"")).await;
    let said = said.strip_prefix(&PREFACE).expect("native");
    let (frame, _) = decode(said, HANDSHAKE_FRAME_LEN).expect("a frame").expect("is whole");
    let Frame::Close(close) = frame else { panic!("{frame:?}") };
    assert_eq!((close.code, close.reason), (CloseCode::Unauthorized, "this server wants credentials"));
    for text in [
        r#"{"action":"WHO","data":{}}"#,
        r#"{"action":"handShake","data":{"pnet":1}}"#,
        r#"{"action":"handShake","data":{"pnet":1,"credentials":null}}"#,
        r#"{"action":"handShake","data":null}"#,
    ] {
        let said = String::from_utf8(served.say(text.as_bytes()).await).expect("JSON");
        assert!(said.contains("unauthorized") && said.contains("this server wants credentials"), "{text}: {said}");
        assert!(!said.contains("YOU"), "{text}: {said}");
    }
    assert_eq!(served.server.hub().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_something_else_is_refused_and_not_repeated() {
    let (log, _guard) = Log::keep();
    let served = open_to_all();
    for shown in [
        r#""swordfish""#,
        "123456789",
        r#"{"swordfish":1}"#,
        r#"{"word":{"swordfish":1}}"#,
        r#"{"word":"swordfish","word":"swordfish"}"#,
        r#"{"word":"swordfish"} swordfish"#,
        r#"{"word":"swordfish"#,
        "swordfish",
        "[\"swordfish\",1]",
    ] {
        let native = String::from_utf8_lossy(&served.say(&hello(shown.as_bytes())).await).into_owned();
        let json = format!(r#"{{"action":"handShake","data":{{"pnet":1,"credentials":{shown}}}}}"#);
        let json = String::from_utf8_lossy(&served.say(json.as_bytes()).await).into_owned();
        assert!(native.contains("the credentials are not what this server's protocol says"), "{shown}: {native}");
        assert!(json.contains("\"code\":"), "{shown}: {json}");
        for said in [native, json, log.text()] {
            assert!(!said.contains("swordfish") && !said.contains("123456789"), "{shown}: {said}");
        }
    }
    assert!(log.text().contains("line 1, column"), "{}", log.text());
    assert_eq!(served.server.hub().len(), 0);
}

/// A sequence stands for a struct in serde; and what the Python library's clients say is looked at as it is.
#[tokio::test(start_paused = true)]
async fn what_can_be_read_is_looked_at() {
    let served = open_to_all();
    for data in [
        r#"{"pnet":1,"credentials":{"word":"ada"}}"#,
        r#"{"credentials":{"word":"ada","more":1},"pnet":1}"#,
        r#"{"pnet":1,"credentials":["ada"]}"#,
        r#"{"credentials": {"word" : "ada"}}"#,
        r#"{"word":"ada"}"#,
        r#"{"word":"\u0061da","username":"x"}"#,
    ] {
        let mut io = served.open(PeerAddr::Memory).await;
        let text = format!(r#"{{"action":"handShake","data":{data}}}{{"action":"WHO","data":{{}},"id":1}}"#);
        io.write_all(text.as_bytes()).await.expect("memory writes");
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(r#"{"name":"ada"}"#) {
            assert_ne!(io.read_buf(&mut said).await.expect("memory reads"), 0, "{data}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn their_length_has_a_bound_on_both_sides() {
    let overhead = Pass::new("").to_json().expect("can be written").len();
    let served = open_to_all();
    for dialect in [Dialect::Native, Dialect::Json] {
        let longest = "x".repeat(CREDENTIALS_LEN - overhead);
        let connected = served.connect(client(&longest).dialect(dialect), PeerAddr::Memory).await.expect("fits");
        assert_eq!(connected.call(Who {}).await.expect("is answered").name, longest);
        let error = served.connect(client(&format!("{longest}x")).dialect(dialect), PeerAddr::Memory).await;
        let len = CREDENTIALS_LEN + 1;
        assert!(
            matches!(error, Err(ConnectError::Credentials(CredentialsError::TooLong { len: found })) if found == len),
            "{error:?}"
        );
    }
    let long = format!("\"{}\"", "x".repeat(CREDENTIALS_LEN - 1));
    let said = String::from_utf8_lossy(&served.say(&hello(long.as_bytes())).await).into_owned();
    assert!(said.contains("a field has a wrong length or value"), "{said}");
    let text = format!(r#"{{"action":"handShake","data":{{"pnet":1,"credentials":{long}}}}}"#);
    let said = String::from_utf8_lossy(&served.say(text.as_bytes()).await).into_owned();
    assert!(said.contains("\"code\":"), "{said}");
}

/// No token is on the wire where others could read it: it could resume nothing later.
#[tokio::test(start_paused = true)]
async fn a_token_does_not_travel_in_plain_text_beyond_this_machine() {
    let served = open_to_all();
    for (addr, has_token) in [(far("192.0.2.7"), false), (far("127.0.0.1"), true), (PeerAddr::Memory, true)] {
        let mut io = served.open(addr.clone()).await;
        io.write_all(&hello(br#"{"word":"ada"}"#)).await.expect("memory writes");
        let mut machine = ClientHandshake::new(Gate::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut vec![]);
        let mut said = Vec::new();
        let welcomed = loop {
            assert_ne!(io.read_buf(&mut said).await.expect("memory reads"), 0, "{addr}");
            let (used, welcomed) = machine.handle(&said, &mut Vec::new()).expect("a welcome");
            said.drain(..used);
            if let Some(welcomed) = welcomed {
                break welcomed;
            }
        };
        assert_eq!(welcomed.token.is_some(), has_token, "{addr}");
    }
    // And clients do without.
    let connected = served.connect(client("ada"), far("192.0.2.7")).await.expect("is let in");
    assert_eq!(connected.call(Who {}).await.expect("is answered").name, "ada");
}

#[tokio::test(start_paused = true)]
async fn builders_show_nothing() {
    let builder = client("swordfish").pin(keys::server().fingerprint());
    assert!(!format!("{builder:?} {builder:#?}").contains("swordfish"));
}
