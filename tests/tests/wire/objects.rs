//! Random and damaged objects through everything that reads JSON: no panic, the same in any pieces, and what is read is
//! what another reader of JSON finds.
//!
//! Seeds and their number as in [`hostile`](super::hostile).

use std::panic::{AssertUnwindSafe, catch_unwind};

use pnet_protocol::{
    id::{ConnectionId, SessionToken},
    json::{CallId, Envelope, Form, Greeting, JsonHandshake, JsonReader, Token},
    limits::Limits,
};
use pnet_tests::shown;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{
    hostile::{Random, seeds},
    protocols::OLD,
};

#[test]
fn no_object_panics_and_pieces_do_not_matter() {
    let (mut whole_objects, mut read) = (0_u32, 0_u32);
    for seed in seeds() {
        let mut random = Random::new(seed);
        let input = damaged(&mut random);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let form = *random.pick(&[Form::Plain, Form::Pnet, Form::Old]);
            for server in [true, false] {
                let whole = hear(server, form, &[&input]);
                assert_eq!(hear(server, form, &pieces(&mut random, &input)), whole);
                whole_objects += u32::try_from(whole.len()).unwrap_or(0);
            }
            let _ = Greeting::new(&OLD).handle(&input);
            let _ = JsonHandshake::new(&OLD).handle(&input);
            read += u32::from(is_read_as_by_others(&input));
        }));
        if let Err(panic) = result {
            eprintln!("seed {seed}: {}", input.escape_ascii());
            std::panic::resume_unwind(panic);
        }
    }
    assert!(whole_objects > 1000 && read > 1000, "{whole_objects} objects, {read} envelopes");
}

/// What was looked at is not looked at again: changing it behind the reader's back does not change where the object ends.
#[test]
fn bytes_are_looked_at_once_however_they_come() {
    let object = format!(r#"{{"action":"MOVE","data":["{}",{{}}]}}"#, r#"x\"]}"#.repeat(100)).into_bytes();
    for seen in 1..object.len() {
        let mut reader = JsonReader::client(&OLD, &Limits::default(), Form::Pnet);
        assert_eq!(reader.next(&object[..seen]), Ok(None));
        let mut changed = object.clone();
        // The last byte may have been a backslash, which waits for what it escapes.
        changed[1..seen.saturating_sub(1).max(1)].fill(b'"');
        let (event, len) = reader.next(&changed).expect("it has an end").expect("it is whole");
        assert_eq!(len, object.len(), "{seen} bytes were seen: {event:?}");
    }
}

/// What a side of a connection makes of the pieces: its events, and its end.
fn hear(server: bool, form: Form, pieces: &[&[u8]]) -> Vec<String> {
    let limits = *Limits::default().calls(3).packets(1).packet_bytes(300).max_frame_len(4096);
    let mut reader = if server {
        JsonReader::server(&OLD, &limits, ConnectionId::from_bytes([1; 16]), SessionToken::from_bytes([2; 16]), form)
    } else {
        JsonReader::client(&OLD, &limits, form)
    };
    let (mut log, mut held) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        let mut used = 0;
        loop {
            match reader.next(&held[used..]) {
                Ok(Some((event, len))) => {
                    assert!(0 < len && used + len <= held.len());
                    used += len;
                    let event = shown::event(&event);
                    // How whitespace is cut up is nobody's business.
                    if event != "Ignored" {
                        log.push(event);
                    }
                    assert!(reader.open_calls() <= 3 && reader.open_packets() <= 16);
                }
                Ok(None) => break,
                Err(error) => {
                    log.push(format!("error: {error}"));
                    return log;
                }
            }
        }
        held.drain(..used);
    }
    log
}

/// Whatever `Envelope` takes, serde_json takes for the same, but for the data, which is left to its reader.
fn is_read_as_by_others(input: &[u8]) -> bool {
    let Ok(envelope) = Envelope::read(input) else {
        // What others read as an object with an action is refused for a reason of this dialect's own.
        let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(input) else { return false };
        if !(input.starts_with(b"{") && input.ends_with(b"}")) {
            return false;
        }
        let twice = input.escape_ascii().to_string();
        let fits = object.get("action").is_some_and(Value::is_string)
            && ["id", "re"].iter().all(|key| object.get(*key).is_none_or(is_id))
            && object.get("timeout").is_none_or(|ms| ms.is_null() || !ms.is_string() && is_id(ms))
            && !(object.get("id").is_some_and(|id| !id.is_null()) && object.get("re").is_some_and(|re| !re.is_null()))
            && object
                .get("packet-created")
                .is_none_or(|time| time.is_null() || time.as_f64().is_some_and(|at| at.abs() < 9e12));
        let once = ["action", "data", "packet-created", "token", "id", "re", "timeout"]
            .iter()
            .all(|key| twice.matches(&format!("{key}\\\"")).count() <= 1);
        assert!(!(fits && once && object.len() <= 16 && !twice.contains("\\\\u")), "refused for no reason");
        return false;
    };
    let data = envelope.data.unwrap_or("null");
    let Ok(data) = serde_json::from_str::<Value>(data) else { return false };
    let Ok(others) = serde_json::from_slice::<Value>(input) else {
        // Half surrogates, and numbers beyond all floats, may stand in what is skipped.
        assert!(serde_json::from_slice::<IgnoredAny>(input).is_ok(), "its envelope is JSON, and so is its data");
        return false;
    };
    assert_eq!(others["action"], *envelope.action);
    assert_eq!(others["data"], data);
    let id = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(CallId::Text(text.clone().into())),
        number => Some(CallId::Number(number.as_u64().expect("an id is an integer or a text"))),
    };
    assert_eq!((id(&others["id"]), id(&others["re"])), (envelope.id, envelope.re));
    let timeout = others["timeout"].as_u64().map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
    assert_eq!(timeout, envelope.timeout);
    match (&others["packet-created"], envelope.created) {
        (Value::Null, None) => {}
        (time, Some(micros)) => {
            let seconds = time.as_f64().expect("a time is a number");
            #[expect(clippy::cast_precision_loss, reason = "a microsecond is near enough")]
            let difference = (seconds - micros as f64 / 1e6).abs();
            assert!(difference <= 2e-6 + seconds.abs() * 1e-15, "{time} is not {micros}");
        }
        (time, None) => panic!("{time} was not read"),
    }
    match (&others["token"], &envelope.token) {
        (Value::Null, Token::None) => {}
        (Value::String(text), Token::Text(token)) => assert_eq!(text, token),
        (_, token) => assert_eq!(*token, Token::Other),
    }
    true
}

fn is_id(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => (1..=64).contains(&text.len()),
        number => number.as_u64().is_some_and(|number| number < 1 << 53) && !number.to_string().contains('.'),
    }
}

/// One to three objects, with up to four things wrong.
fn damaged(random: &mut Random) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..1 + random.below(8) / 4 {
        input.extend_from_slice(random.pick(&OBJECTS).as_bytes());
        if random.below(3) == 0 {
            input.extend_from_slice(random.pick(&["\n", " ", "\r\n\t", "\u{feff}", ","]).as_bytes());
        }
    }
    for _ in 0..random.below(5) {
        if input.is_empty() {
            break;
        }
        let at = random.below(input.len());
        let to = at + random.below(input.len() - at + 1).min(24);
        match random.below(7) {
            0 => input[at] = random.byte(),
            1 => input[at] = *random.pick(b"\"\\{}[]:,. \n0159-+eEnutf\x00\x1f\xc3\xff"),
            2 => input.truncate(at),
            3 => drop(input.drain(at..to)),
            4 => {
                let part = input[at..to].to_vec();
                input.splice(at..at, part);
            }
            5 => {
                let part = random.pick(&PARTS).as_bytes();
                input.splice(at..at, part.iter().copied());
            }
            _ => {
                let other = random.pick(&OBJECTS).as_bytes();
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
    input
}

fn pieces<'a>(random: &mut Random, mut rest: &'a [u8]) -> Vec<&'a [u8]> {
    let longest = 1 + random.below(40);
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(random.below(longest + 1).min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

const OBJECTS: [&str; 20] = [
    r#"{"action":"JOIN","data":{"nickname":"ada"},"packet-created":1700000000.123456,"token":null,"id":7}"#,
    r#"{"action": "JOIN", "data": {"nickname": "ada"}, "packet-created": 1671900000.5, "token": null}"#,
    r#"{"action":"MOVE","data":{"horizontal":-1,"vertical":2}}"#,
    r#"{"action":"SHOUT","data":{"nickname":"gr\u00fc\u00df \ud83d\ude00 \"[{"},"id":"x"}"#,
    r#"{"id":1,"action":"SHOUT"}"#,
    r#"{"action":"ROOM","data":{"chamber":3},"re":1}"#,
    r#"{"action":"TICK","data":{"chamber":3},"token":"02020202-0202-0202-0202-020202020202"}"#,
    r#"{"action":"handShake","data":{"pnet":1,"protocol":"Game","limits":{"object":5000,"calls":2}}}"#,
    r#"{"action":"handShake","data":{"status":"success","uuid":"02020202-0202-0202-0202-020202020202","remoteToken":"r"}}"#,
    r#"{"action":"pnet.cancel","id":7}"#,
    r#"{"action":"pnet.ping","data":9}"#,
    r#"{"action":"pnet.credit","data":{"items":32,"bytes":4096},"id":7}"#,
    r#"{"action":"pnet.end","data":null,"re":1}"#,
    r#"{"action":"SHOUT","data":{"nickname":"ada"},"timeout":30000,"packet-created":1700000000.1,"token":null,"id":4096}"#,
    r#"{"action":"handShake","data":{"pnet":1,"limits":{"streams":2,"items":3,"bytes":9},"heartbeat":1000}}"#,
    r#"{"action":"pnet.close","data":{"code":"going-away","reason":"bye","retry":1500}}"#,
    r#"{"action":"pnet.failure","data":{"code":"busy","message":"no"},"re":1}"#,
    r#"{"action":"disconnect","data":{"reason":"bye"}}"#,
    r#"{"more":[1,{"x":[[]]}],"action":"PING","data":null}"#,
    "{}",
];

const PARTS: [&str; 13] = [
    r#","id":1"#,
    r#","re":2"#,
    r#","timeout":5"#,
    r#","action":"MOVE""#,
    r#","token":"02020202-0202-0202-0202-020202020202""#,
    r#","packet-created":-1.5e3"#,
    r#","more":{"a":[]}"#,
    r#""\u0061ction":"#,
    "9007199254740992",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "\\ud800",
    "NaN",
    "\n{\"action\":\"MOVE\"}\n",
];
