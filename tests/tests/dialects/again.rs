//! Objects that repeat what the one before has said are read in a shorter way: it says the same as the longer one.

use pnet::Protocol as _;
use pnet_protocol::{
    connection::{Call, Event, ReplyTo, Usual},
    id::{ConnectionId, SessionToken},
    json::{CallId, CallText, Form, JsonReader, JsonWriter},
    limits::Limits,
    protocol::ReplyInfo,
};
use pnet_tests::{shown, talk::Talk};

/// What the reader says of `pieces`, as text, and how many objects were read in the shorter way. `short`: as the driver
/// reads. `ends`: every other call ends at once.
fn said(mut reader: JsonReader, pieces: &[&[u8]], short: bool, ends: bool) -> (Vec<String>, usize) {
    let (mut said, mut shorter, mut bytes) = (Vec::new(), 0, Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        reader.begin();
        let mut used = 0;
        loop {
            let usual = if short { reader.usual(&bytes, used) } else { None };
            shorter += usize::from(usual.is_some());
            let next = match usual {
                Some((usual, len)) => {
                    if let Usual::Call(call) = &usual {
                        assert!(matches!(call, Call { timeout_ms: 0 | 30_000, .. }), "{call:?}");
                    }
                    Ok(Some((Event::from(usual), len)))
                }
                None if short => reader.next_at(&bytes, used),
                None => reader.next(&bytes[used..]),
            };
            match next {
                Ok(Some((event, len))) => {
                    used += len;
                    if event != Event::Ignored {
                        said.push(format!("{} {:?} {:?}", shown::event(&event), reader.created(), reader.form()));
                    }
                    if let Event::Usual(Usual::Call(Call { id, .. })) = event
                        && ends
                        && said.len() % 2 == 0
                    {
                        reader.call_finished(id);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    said.push(error.to_string());
                    return (said, shorter);
                }
            }
        }
        bytes.drain(..used);
    }
    (said, shorter)
}

fn readers() -> impl Iterator<Item = JsonReader> {
    let mut limits = Limits::default();
    limits.calls(5).packets(1).streams(1).max_frame_len(4096);
    [Form::Plain, Form::Pnet, Form::Old].into_iter().flat_map(move |form| {
        let (id, token) = (ConnectionId::from_bytes([1; 16]), SessionToken::from_bytes([2; 16]));
        [JsonReader::server(Talk::INFO, &limits, id, token, form), JsonReader::client(Talk::INFO, &limits, form)]
    })
}

/// How many objects were read in the shorter way.
fn check(bytes: &[u8], every: usize) -> usize {
    let mut shorter = 0;
    for ends in [false, true] {
        for cut in (0..=bytes.len()).step_by(every) {
            let (first, second) = bytes.split_at(cut);
            for (long, short) in readers().zip(readers()) {
                let (expected, _) = said(long, &[first, second], false, ends);
                let (found, count) = said(short, &[first, second], true, ends);
                assert_eq!(found, expected, "{} cut at {cut}", bytes.escape_ascii());
                shorter += count;
            }
        }
    }
    shorter
}

/// Whatever the limits allow, there is one answer for each call.
#[test]
fn a_call_more_than_can_be_open_is_busy() {
    let mut limits = Limits::default();
    limits.calls(10_000);
    let (id, token) = (ConnectionId::from_bytes([1; 16]), SessionToken::from_bytes([2; 16]));
    let mut reader = JsonReader::server(Talk::INFO, &limits, id, token, Form::Pnet);
    let mut busy = 0;
    for id in 1..=4_098 {
        let call = format!(r#"{{"action":"DIVIDE","data":{{"a":1,"b":2}},"id":{id}}}"#);
        match reader.next(call.as_bytes()) {
            Ok(Some((Event::Busy { .. }, _))) => busy += 1,
            Ok(Some((Event::Usual(Usual::Call(_)), _))) => {}
            other => panic!("{id}: {other:?}"),
        }
    }
    assert_eq!(busy, 2);
}

const STAMP: &str = r#","packet-created":1700000000.123456,"token":"02020202-0202-0202-0202-020202020202""#;

/// Objects as pnet writes them.
fn genuine() -> Vec<String> {
    let object = |action: &str, data: &str, end: &str| format!(r#"{{"action":"{action}","data":{data}{end}}}"#);
    vec![
        object("DIVIDE", r#"{"a":1,"b":2}"#, &format!(r#"{STAMP},"id":1"#)),
        object("DIVIDE", r#"{"a":1,"b":2}"#, &format!(r#","timeout":30000{STAMP},"id":2"#)),
        object("TOUCH", "null", &format!(r#"{STAMP},"id":3,"timeout":30000"#)),
        object("COUNT", r#"{"n":3}"#, &format!(r#"{STAMP},"id":4"#)),
        object("NOTE", r#"{"text":"{\"\\"}"#, STAMP),
        object("PUSH", r#"{"n":7}"#, STAMP),
        object("QUOTIENT", r#"{"q":[{"a":"ü"},[]]}"#, &format!(r#"{STAMP},"re":5"#)),
        object("pnet.done", "null", &format!(r#"{STAMP},"re":6"#)),
        object("pnet.ping", "7", STAMP),
        object("DIVIDE", "{}", r#","id":9"#),
    ]
}

#[test]
fn what_repeats_the_object_before_is_read_as_if_it_did_not() {
    let genuine = genuine();
    let mut shorter = 0;
    for first in &genuine {
        for second in &genuine {
            shorter += check(format!("{first}\n{first}\n{second}\n{first}{second}").as_bytes(), 61);
        }
    }
    assert!(shorter > 2_000, "{shorter}");
}

#[test]
fn hostile_objects_behind_a_genuine_one_are_read_as_alone() {
    let stamp = format!(r#"{STAMP},"id":1"#);
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(2000));
    let too_long = format!(r#"{{"a":"{}"}}"#, "x".repeat(5000));
    let deep = format!("{}1{}", "[".repeat(130), "]".repeat(130));
    let nested = format!(r#"{{"a":1{STAMP},"id":1}}"#);
    let quoted = format!(r#"{{"a":"{}"}}"#, format!("{stamp}}}\n").replace('"', "\\\""));
    let unquoted = format!(r#"{{"a":"{stamp}"}}"#);
    let two = format!(r#"{{"a":1}}{stamp}}}{{"action":"DIVIDE","data":{{"a":1}}"#);
    let data = [
        "",
        " ",
        "null",
        "1",
        "\"",
        "\"x",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "{}}",
        "{}{}",
        "{} ",
        " {}",
        "{},1",
        "{}:1",
        "{\"a\":\"b",
        "{\"a\":\"b\\\"}",
        "{\"a\\\":1}",
        "{\"a\"|1}",
        "{\n\t\"a\": 1,\n\t\"b\": 2\n}",
        "\u{0}",
        "{\u{0}}",
        "\n",
        "nonsense",
        "{\"ü\":\"}\"}",
        &long,
        &too_long,
        &deep,
        &nested,
        &quoted,
        &unquoted,
        &two,
        "1,\"id\":2",
        "1,\"data\":2",
        "1,\"action\":\"NOTE\"",
        "1,\"re\":1",
        "1,\"token\":null",
        "1,\"x\":1",
        "1,\"id\":1",
    ];
    let ends = [
        "1}",
        "0}",
        "01}",
        "-1}",
        "1.0}",
        "1e1}",
        "4294967296}",
        "9007199254740991}",
        "9007199254740992}",
        "99999999999999999999}",
        "\"1\"}",
        "null}",
        "}",
        "1 }",
        "1,}",
        "1,\"re\":1}",
        "1,\"id\":1}",
        "1,\"timeout\":1}",
        "1",
        "1}}",
        "1}]",
        "1]",
        "1}\n\n",
        "1}\u{0}",
    ];
    let first = format!(r#"{{"action":"DIVIDE","data":{{"a":1,"b":2}}{stamp}}}"#);
    let stem = &stamp[..stamp.len() - 1];
    for name in ["DIVIDE", "NOTE", "DIVIDE\",\"id\":1,\"x\":\"", "größe", "\\u0041", "pnet.close", "handShake", ""] {
        for data in data {
            let second = format!(r#"{{"action":"{name}","data":{data}{stem}7}}"#);
            check(format!("{first}\n{second}\n{first}\n").as_bytes(), if second.len() > 1000 { 2003 } else { 97 });
        }
    }
    for end in ends {
        check(format!("{first}\n{{\"action\":\"DIVIDE\",\"data\":{{}}{stem}{end}\n{first}\n").as_bytes(), 3);
    }
    for (from, to) in
        [(STAMP, ""), ("token", "tokem"), ("\"token\":\"02", "\"token\":\"03"), ("00.1", "00.2"), (",", ", ")]
    {
        check(format!("{first}\n{}\n{first}\n", first.replace(from, to)).as_bytes(), 3);
    }
}

/// Every byte of a genuine object replaced, left out and doubled, behind the same one.
#[test]
fn damaged_objects_behind_a_genuine_one_are_read_as_alone() {
    for first in genuine() {
        for at in 0..first.len() {
            let (head, tail) = first.as_bytes().split_at(at);
            let before = [first.as_bytes(), b"\n"].concat();
            for byte in b"\"\\{}[],: 0\n\x00\xff\xc3" {
                check(&[&before, head, &[*byte], &tail[1..], b"\n", &before].concat(), 499);
            }
            check(&[&before, head, &tail[1..], b"\n", &before].concat(), 499);
            check(&[&before, head, &tail[..1], tail, b"\n", &before].concat(), 499);
        }
    }
}

/// Calls that go together are written like each of them alone, whatever comes between.
#[test]
fn calls_that_go_together_are_written_as_alone() {
    let limits = Limits::default();
    let actions: Vec<_> =
        (0..).zip(Talk::INFO.server.actions).filter(|(_, info)| !matches!(info.reply, ReplyInfo::None)).collect();
    assert!(actions.len() > 1);
    let mut together = JsonWriter::server(Talk::INFO, &ConnectionId::from_bytes([1; 16]), Form::Pnet, &limits);
    let mut alone = together.clone();
    let (mut text, mut id) = (CallText::new(), 0);
    for (batch, form) in (0_i64..).zip([Form::Pnet, Form::Plain, Form::Pnet, Form::Pnet]) {
        for writer in [&mut together, &mut alone] {
            writer.set_form(form);
            writer.begin_batch(1_700_000_000_123_456 + batch * 1_000);
        }
        let (mut written, mut expected) = (b"before".to_vec(), b"before".to_vec());
        for (action, info) in actions.iter().chain(&actions) {
            for timeout_ms in [0, 0, 30_000, 30_000, 5] {
                id += 1;
                let data = format!("[{id}]").repeat(id as usize % 5);
                together.call(id, (*action, info), timeout_ms, data.as_bytes(), &mut text, &mut written);
                alone.call_head(info.action, timeout_ms, data.as_bytes(), &mut expected);
                alone.call_started(id, *action, &mut expected);
            }
        }
        assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(together.can_call(), alone.can_call());
        together.end_batch();
        alone.end_batch();
        text.forget();
    }
}

/// Replies that go together are written like each of them alone, and are as long as the other side takes.
#[test]
fn replies_that_go_together_are_written_as_alone() {
    let mut limits = Limits::default();
    limits.max_frame_len(4096);
    let mut writer = JsonWriter::server(Talk::INFO, &ConnectionId::from_bytes([1; 16]), Form::Pnet, &limits);
    writer.begin_batch(1_700_000_000_123_456);
    let mut written = 0;
    for (action, info) in (0..).zip(Talk::INFO.client.actions) {
        let Some(replies) = writer.replies(action, Vec::new()) else {
            assert!(info.reply.is_stream() || matches!(info.reply, ReplyInfo::None), "{}", info.action);
            continue;
        };
        for (len, id) in (0..5_000).step_by(7).chain(3_800..4_100).zip(0_u32..) {
            let payload = vec![b'1'; len];
            let to = ReplyTo::Json { id: Some(CallId::Number(u64::from(id))), action: Some(action) };
            let (mut alone, mut together) = (b"before".to_vec(), b"before".to_vec());
            let taken = writer.reply(&to, false, &payload, &mut alone).is_ok();
            let start = replies.begin(&mut together);
            together.extend_from_slice(&payload);
            let fits = replies.end(start, id, &mut together);
            assert_eq!(fits, taken, "{} of {len} bytes", info.action);
            if !fits {
                assert_eq!(replies.abandon(start, &mut together), payload);
            }
            assert_eq!(together, alone, "{} of {len} bytes", info.action);
            written += usize::from(fits);
        }
    }
    assert!(written > 1_000, "{written}");
    writer.set_form(Form::Old);
    assert!(writer.replies(0, Vec::new()).is_none());
}
