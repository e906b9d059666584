//! Bytes of those who want in without knowing the word, and odd ones of those who know it.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{Limits, Protocol};
use pnet_protocol::{
    frame::PREFACE,
    handshake::{ClientHandshake, ShapePolicy},
};
use pnet_tests::gate::{Gate, Pass, Porter, Visitor};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{WORD, town::Town};

const FAR: [u8; 4] = [192, 0, 2, 1];
/// What goes into the handshake's data, and whether it lets in. Credentials count only where they are read once.
const HANDSHAKES: [(&str, bool); 30] = [
    (r#"{"pnet":1,"credentials":{"word":"swordfish"}}"#, true),
    (r#"{"credentials":{"word":"swordfish"},"pnet":1}"#, true),
    (r#"{"credentials":{"word":"swordfish"},"protocol":"Gate","pnet":null,"limits":7,"heartbeat":"x"}"#, true),
    (r#"{"pnet":1,"cr\u0065dentials":{"w\u006frd":"sword\u0066ish"}}"#, true),
    (r#"{"pnet":1,"credentials":{"word":"swordfish","more":[{}]}}"#, true),
    (r#"{"pnet":1,"credentials":["swordfish"]}"#, true),
    // Of the old form: all of the data.
    (r#"{"word":"swordfish"}"#, true),
    (r#"{"credentials":{"word":"swordfish"}}"#, true),
    (r#"{"credentials":{"word":"herring"},"word":"swordfish"}"#, false),
    (r#"{"pnet":1,"word":"swordfish"}"#, false),
    (r#"{"pnet":1,"credentials":null,"word":"swordfish"}"#, false),
    (r#"{"pnet":1,"credentials":null}"#, false),
    (r#"{"pnet":1,"credentials":{}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":"herring"},"credentials":{"word":"swordfish"}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":"swordfish"},"credentials":{"word":"herring"}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":"herring","word":"swordfish"}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":"swordfish","word":"swordfish"}}"#, false),
    (r#"{"pnet":1,"credentials":"{\"word\":\"swordfish\"}"}"#, false),
    (r#"{"pnet":1,"credentials":{"word":null}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":true}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":["swordfish"]}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":"\ud800"}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":"swordfish\ud800"}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":"swordfish\u0000"}}"#, false),
    (r#"{"pnet":1,"credentials":{"word":1e999999999}}"#, false),
    (r#"{"pnet":1,"credentials":99999999999999999999999999999999999999999999999999999999}"#, false),
    (r#"{"pnet":1,"credentials":-0.0e-0}"#, false),
    ("null", false),
    ("[]", false),
    (r#""swordfish""#, false),
];

/// All that the server says to these bytes, until it ends the stream or has nothing more to say.
async fn said(town: &Town, bytes: &[u8], from: IpAddr) -> Vec<u8> {
    let mut io = town.come_from(from).await;
    io.write_all(bytes).await.expect("memory writes");
    let mut said = Vec::new();
    // Who is let in is told so, and nothing more.
    let _ = timeout(Duration::from_secs(10), async {
        while io.read_buf(&mut said).await.is_ok_and(|read| read > 0) {
            if objects(&said).first().is_some_and(|object| object["data"]["status"] == "success") {
                break;
            }
        }
    })
    .await;
    said
}

/// Those that are whole.
fn objects(bytes: &[u8]) -> Vec<Value> {
    serde_json::Deserializer::from_slice(bytes).into_iter().map_while(Result::ok).collect()
}

fn is_let_in(said: &[u8]) -> bool {
    let objects = objects(said);
    let first = objects.first().map(|object| (object["action"].as_str(), object["data"]["status"].as_str()));
    match first {
        Some((Some("handShake"), Some("success"))) => true,
        Some((Some("pnet.close"), _)) => false,
        other => panic!("neither let in nor refused: {other:?}"),
    }
}

fn handshake(data: &str) -> Vec<u8> {
    format!("{{\"action\":\"handShake\",\"data\":{data}}}").into_bytes()
}

#[tokio::test(start_paused = true)]
async fn handshakes_in_json_let_in_by_the_word_alone() {
    let town = Town::with(Porter::wants(WORD));
    let mut wrong = Vec::new();
    for (data, lets_in) in HANDSHAKES {
        if is_let_in(&said(&town, &handshake(data), [127, 0, 0, 1].into()).await) != lets_in {
            wrong.push(data);
        }
    }
    assert_eq!(wrong, ["nothing of it"; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_handshake_shows_nothing() {
    let town = Town::with(Porter::wants(WORD));
    let right = r#"{"pnet":1,"credentials":{"word":"swordfish"}}"#;
    let wrong = r#"{"pnet":1,"credentials":{"word":"herring"}}"#;
    let rows: Vec<Vec<u8>> = vec![
        br#"{"action":"WHO","data":{}}"#.to_vec(),
        br#"{"action":"WHO","data":{"credentials":{"word":"swordfish"},"pnet":1}}"#.to_vec(),
        // The second one does not count, nor does what is behind a refusal.
        [handshake(wrong), handshake(right)].concat(),
        [&br#"{"action":"WHO","data":{}}"#[..], &handshake(right)].concat(),
        [&br#"{}"#[..], &handshake(right)].concat(),
        format!(r#"{{"action":"handShake","data":{wrong},"data":{right}}}"#).into_bytes(),
        format!(r#"{{"action":"handShake","action":"handShake","data":{right}}}"#).into_bytes(),
        format!(r#"{{"action":"handShake","token":"{}","data":{right}}}"#, "0".repeat(36)).into_bytes(),
        b"{\"action\":\"handShake\",\"data\":{\"pnet\":1,\"credentials\":{\"word\":\"swordfish\xff\"}}}".to_vec(),
        b"{\"action\":\"handShake\",\"data\":{\"pnet\":1,\"credentials\":{\"word\":\"sword\xed\xa0\x80\"}}}".to_vec(),
        handshake(&format!(r#"{{"pnet":1,"credentials":{{"word":{}{}}}}}"#, "[".repeat(1900), "]".repeat(1900))),
        handshake(&format!(r#"{{"pnet":1,"credentials":{}1{}}}"#, r#"{"word":"#.repeat(400), "}".repeat(400))),
        handshake(&format!(r#"{{"pnet":1,"credentials":{}}}"#, "9".repeat(3000))),
    ];
    for row in rows {
        let shown = String::from_utf8_lossy(&row).into_owned();
        let said = said(&town, &row, [127, 0, 0, 1].into()).await;
        assert!(!is_let_in(&said), "{shown}");
        let told = String::from_utf8_lossy(&said);
        assert!(!told.contains("fish") && !told.contains("herring"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_have_at_most_3072_bytes_in_both_dialects() {
    let looked = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&looked);
    let town = Town::with(Porter::new(move |pass: Pass, _| {
        at.store(pass.word.len(), Relaxed);
        std::future::ready(Ok(Visitor { name: pass.word }))
    }));
    for (len, fits) in [(3072, true), (3073, false)] {
        let word = "x".repeat(len - r#"{"word":""}"#.len());
        let credentials = format!(r#"{{"word":"{word}"}}"#);
        looked.store(0, Relaxed);
        let json = handshake(&format!(r#"{{"pnet":1,"credentials":{credentials}}}"#));
        assert_eq!(is_let_in(&said(&town, &json, FAR.into()).await), fits, "{len} in JSON");
        assert_eq!(looked.load(Relaxed) > 0, fits, "{len} in JSON");
        looked.store(0, Relaxed);
        let said = said(&town, &hello(credentials.as_bytes()), FAR.into()).await;
        assert_eq!(looked.load(Relaxed) > 0, fits, "{len} in the native dialect: {said:?}");
    }
}

/// A native HELLO with these credentials.
fn hello(credentials: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = ClientHandshake::new(Gate::INFO, credentials, &Limits::default(), ShapePolicy::Names, &mut out);
    out
}

#[tokio::test(start_paused = true)]
async fn a_hello_shows_credentials_once() {
    let looked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked);
    let town = Town::with(Porter::new(move |pass: Pass, _| {
        count.fetch_add(1, Relaxed);
        std::future::ready(if pass.word == WORD { Ok(Visitor { name: pass.word }) } else { Err("no".into()) })
    }));
    let right = format!(r#"{{"word":"{WORD}"}}"#);
    let (once, none) = (hello(right.as_bytes()), hello(b""));
    let field = [&[4][..], &u16::try_from(right.len()).expect("short").to_le_bytes(), right.as_bytes()].concat();
    let place = once.windows(field.len()).position(|window| window == field).expect("is in there");

    let head = PREFACE.len();
    assert_eq!(&once[..head], &none[..head]);
    said(&town, &once, FAR.into()).await;
    assert_eq!(looked.swap(0, Relaxed), 1);
    for wrong in [r#"{"word":"herring"}"#, &right] {
        let other = [&[4][..], &u16::try_from(wrong.len()).expect("short").to_le_bytes(), wrong.as_bytes()].concat();
        let mut twice = once.clone();
        twice.splice(place..place, other.iter().copied());
        lengthen(&mut twice, head, other.len());
        let said = said(&town, &twice, FAR.into()).await;
        assert_eq!(looked.load(Relaxed), 0, "{wrong} beside the right word is looked at: {said:?}");
        assert!(said.windows(9).any(|window| window == b"malformed"), "{}", String::from_utf8_lossy(&said));
    }
}

/// Adds to the length of the frame that begins there.
fn lengthen(bytes: &mut [u8], frame: usize, by: usize) {
    let length = bytes[frame..].first_chunk_mut::<4>().expect("a frame begins there");
    *length = (u32::from_le_bytes(*length) + u32::try_from(by).expect("short")).to_le_bytes();
}
