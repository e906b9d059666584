//! Answers, pushes and what goes wrong, of many calls that come at once: what stands before what on the wire.

use pnet::{Dialect, Failure, Limits, Packet, Peer, Protocol, action, actions, protocol};
use pnet_protocol::{
    frame::{Frame, decode},
    packet::Codec,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    net,
    support::{settle, shake},
};

/// A call: pushes as often as asked, and then ends as asked.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Say {
    /// Which one.
    n: u32,
    pushes: u32,
    then: Then,
}

/// The same for an `async fn`.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct SayLater {
    /// Which one.
    n: u32,
    pushes: u32,
}

/// The same one-way.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Tell {
    /// Which one.
    n: u32,
    pushes: u32,
}

/// How a handler ends.
#[derive(Clone, Copy, Debug, pnet::Schema, Serialize, Deserialize)]
pub(crate) enum Then {
    /// With its answer.
    Said,
    /// With the declared error.
    Declared,
    /// With a failure.
    Failure,
    /// With a panic.
    Panic,
    /// With an answer that is longer than the peer takes.
    Long,
}

/// The answer.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Said {
    n: u32,
    more: String,
}

/// The declared error.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Refusal {
    n: u32,
}

/// Pushed by a handler.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Heard {
    n: u32,
}

protocol! {
    pub(crate) Chorus {
        client { Say -> Result<Said, Refusal>, SayLater -> Said, Tell }
        server { Heard }
    }
}

#[action("SAY")]
fn say(p: Say, peer: Peer<Chorus>) -> Result<Result<Said, Refusal>, Failure> {
    push(&peer, p.n, p.pushes);
    let more = match p.then {
        Then::Said => String::new(),
        Then::Declared => return Ok(Err(Refusal { n: p.n })),
        Then::Failure => return Err(Failure::public("too-early", "come back at nine")),
        Then::Panic => panic!("a handler panics, as the test wants"),
        Then::Long => "long".repeat(2_000),
    };
    Ok(Ok(Said { n: p.n, more }))
}

#[action("SAY_LATER")]
async fn say_later(p: SayLater, peer: Peer<Chorus>) -> Said {
    push(&peer, p.n, p.pushes);
    Said { n: p.n, more: String::new() }
}

#[action("TELL")]
fn tell(p: Tell, peer: Peer<Chorus>) {
    push(&peer, p.n, p.pushes);
}

fn push(peer: &Peer<Chorus>, n: u32, pushes: u32) {
    for _ in 0..pushes {
        peer.try_send(Heard { n }).expect("there is room");
    }
}

actions! { pub(crate) server ChorusServer for Chorus: say, say_later, tell }

/// Puts a packet into a frame: a call with this id, or one-way.
fn put<T: Packet>(bytes: &mut Vec<u8>, id: Option<u32>, packet: &T) {
    let mut payload = Vec::new();
    packet.encode(T::CODEC, &mut payload).expect("encodes");
    let action = Chorus::INFO.client.find(T::ACTION).expect("the protocol has it");
    match id {
        Some(id) => Frame::Call { id, action, timeout_ms: 0, payload: &payload }.encode(bytes),
        None => Frame::Packet { action, payload: &payload }.encode(bytes),
    }
}

/// Puts a packet into an object, with the same time as all others.
fn put_object<T: Packet>(bytes: &mut Vec<u8>, id: Option<u32>, packet: &T) {
    let mut payload = Vec::new();
    packet.encode(Codec::Json, &mut payload).expect("encodes");
    let data = str::from_utf8(&payload).expect("UTF-8");
    let id = id.map_or_else(String::new, |id| format!(",\"id\":{id}"));
    let stamp = r#""packet-created":1700000000.5,"token":null"#;
    bytes.extend(format!("{{\"action\":\"{}\",\"data\":{data},{stamp}{id}}}\n", T::ACTION).bytes());
}

fn put_in<T: Packet>(dialect: Dialect, bytes: &mut Vec<u8>, id: Option<u32>, packet: &T) {
    match dialect {
        Dialect::Json => put_object(bytes, id, packet),
        _ => put(bytes, id, packet),
    }
}

/// As [`said`], in objects.
async fn said_in_objects(bytes: &[u8], objects: usize) -> Vec<String> {
    let server = net::serve(ChorusServer, ());
    let mut io = server.connector().open().await.expect("opens");
    let hello = r#"{"action":"handShake","data":{"pnet":1,"limits":{"object":4096}}}"#;
    io.write_all(hello.as_bytes()).await.expect("writes");
    let (mut read, mut words) = (Vec::new(), Vec::new());
    while !read.ends_with(b"\n") {
        assert_ne!(io.read_buf(&mut read).await.expect("reads"), 0);
    }
    read.clear();
    io.write_all(bytes).await.expect("writes");
    while words.len() < objects {
        assert_ne!(io.read_buf(&mut read).await.expect("reads"), 0, "{words:?}");
        while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            let object: Value = serde_json::from_slice(&read[..end]).expect("one object a line");
            let re = &object["re"];
            words.push(match object["action"].as_str().expect("a text") {
                "HEARD" => format!("push {}", object["data"]["n"]),
                "SAID" => format!("reply {re}"),
                "REFUSAL" => format!("error {re}"),
                _ => format!("failure {re} {}", object["data"]["code"].as_str().expect("a code")),
            });
            read.drain(..=end);
        }
    }
    settle().await;
    words
}

/// What comes for `bytes`, written at once, in words.
async fn said(bytes: &[u8], frames: usize) -> Vec<String> {
    let server = net::serve(ChorusServer, ());
    let mut io = server.connector().open().await.expect("opens");
    let limits = *Limits::default().max_frame_len(4_096).packets(1_000);
    let mut read = shake(&mut io, Chorus::INFO, &limits).await;
    io.write_all(bytes).await.expect("writes");
    let mut words = Vec::new();
    while words.len() < frames {
        while let Some((frame, len)) = decode(&read, 1 << 20).expect("frames") {
            match frame {
                Frame::Packet { payload, .. } => words.push(format!("push {}", payload[0])),
                Frame::Reply { id, .. } => words.push(format!("reply {id}")),
                Frame::Error { id, .. } => words.push(format!("error {id}")),
                Frame::Failure { id, code, .. } => words.push(format!("failure {id} {code}")),
                _ => {}
            }
            read.drain(..len);
        }
        if words.len() < frames {
            assert_ne!(io.read_buf(&mut read).await.expect("reads"), 0, "{words:?}");
        }
    }
    settle().await;
    words
}

/// What a handler pushes stands before its answer, and behind the answers of those before it, however each of them ends.
#[tokio::test(start_paused = true)]
async fn pushes_stand_before_their_answer_and_behind_the_answers_before() {
    pushes_and_answers_stand_in_order(Dialect::Native).await;
}

/// The same in objects, most of which repeat what the one before has said.
#[tokio::test(start_paused = true)]
async fn pushes_stand_before_their_answer_in_objects_too() {
    pushes_and_answers_stand_in_order(Dialect::Json).await;
}

async fn pushes_and_answers_stand_in_order(dialect: Dialect) {
    let ends = [Then::Said, Then::Declared, Then::Failure, Then::Panic, Then::Long, Then::Said, Then::Said];
    for pattern in 0..4_u32 {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for n in 0..42_u32 {
            let pushes = [n % 2, u32::from(n % 5 == 0) * 2, u32::from(n > 20), 0][pattern as usize];
            expected.extend((0..pushes).map(|_| format!("push {n}")));
            let id = n + 1;
            match n % 3 {
                0 => {
                    let then = ends[n as usize / 3 % ends.len()];
                    put_in(dialect, &mut bytes, Some(id), &Say { n, pushes, then });
                    expected.push(match then {
                        Then::Said => format!("reply {id}"),
                        Then::Declared => format!("error {id}"),
                        Then::Failure => format!("failure {id} too-early"),
                        Then::Panic => format!("failure {id} internal"),
                        Then::Long => format!("failure {id} too-long"),
                    });
                }
                1 => {
                    put_in(dialect, &mut bytes, Some(id), &SayLater { n, pushes });
                    expected.push(format!("reply {id}"));
                }
                _ => put_in(dialect, &mut bytes, None, &Tell { n, pushes }),
            }
        }
        if dialect == Dialect::Json && pattern % 2 == 1 {
            // One in between that is read as if it were alone.
            put_object(&mut bytes, None, &Tell { n: 99, pushes: 1 });
            let spaced = br#"{"action": "TELL", "data": {"n": 100, "pushes": 1}}"#;
            bytes.extend_from_slice(spaced);
            put_object(&mut bytes, Some(101), &Say { n: 101, pushes: 0, then: Then::Said });
            put_object(&mut bytes, Some(102), &Say { n: 102, pushes: 1, then: Then::Said });
            expected.extend(["push 99", "push 100", "reply 101", "push 102", "reply 102"].map(str::to_owned));
        }
        let words = match dialect {
            Dialect::Json => said_in_objects(&bytes, expected.len()).await,
            _ => said(&bytes, expected.len()).await,
        };
        assert_eq!(words, expected, "pattern {pattern}");
    }
}

/// More answers than are gathered at once.
#[tokio::test(start_paused = true)]
async fn many_long_answers_come_in_order() {
    let server = net::serve(ChorusServer, ());
    let mut io = server.connector().open().await.expect("opens");
    let mut read = shake(&mut io, Chorus::INFO, &Limits::default()).await;
    let mut bytes = Vec::new();
    for id in 1..=60 {
        let pushes = u32::from(id % 20 == 0);
        put(&mut bytes, Some(id), &Say { n: id, pushes, then: Then::Long });
    }
    io.write_all(&bytes).await.expect("writes");
    let (mut ids, mut pushed) = (Vec::new(), Vec::new());
    while ids.len() + pushed.len() < 63 {
        assert_ne!(io.read_buf(&mut read).await.expect("reads"), 0);
        while let Some((frame, len)) = decode(&read, 1 << 20).expect("frames") {
            match frame {
                Frame::Reply { id, payload } => {
                    assert!(payload.len() > 8_000, "{id}: {}", payload.len());
                    ids.push(id);
                }
                Frame::Packet { .. } => pushed.push(ids.len()),
                _ => {}
            }
            read.drain(..len);
        }
    }
    assert_eq!(ids, (1..=60).collect::<Vec<_>>());
    // There is no room for them by then, and answers do not wait for that.
    assert_eq!(pushed.len(), 3);
}
