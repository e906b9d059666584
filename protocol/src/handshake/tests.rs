//! Both halves of the handshake against each other and against peers that break its rules.

use super::*;
use crate::close::Close;
use crate::frame::{Frame, decode, put_ping};
use crate::id::{ConnectionId, SessionToken};
use crate::info::{ActionInfo, Direction, ProtocolInfo, ReplyInfo};
use crate::limits::{HANDSHAKE_FRAME_LEN, Limits, REPORT_LEN};
use crate::packet::{Codec, WhenFull};
use crate::schema::{Field, Prim, Ty};

const fn action(action: &'static str, schema: &'static Ty, hash: u64) -> ActionInfo {
    ActionInfo {
        action,
        type_name: action,
        codec: Codec::Postcard,
        schema,
        reply: ReplyInfo::None,
        when_full: WhenFull::Wait,
        hash,
    }
}

const fn info(client: &'static [ActionInfo], server: &'static [ActionInfo], fingerprint: u64) -> ProtocolInfo {
    ProtocolInfo {
        name: "Game",
        client: Direction { actions: client },
        server: Direction { actions: server },
        fingerprint,
        credentials: None,
    }
}

static SMALL: Ty = Ty::Struct(&[Field { name: "xylophone", ty: &Ty::Prim(Prim::I32), default: false }]);
static LARGE: Ty = Ty::Struct(&[Field { name: "xylophone", ty: &Ty::Prim(Prim::I64), default: false }]);
static TEXT: Ty = Ty::Struct(&[Field { name: "trombone", ty: &Ty::Prim(Prim::Str), default: false }]);

static OLD: ProtocolInfo = info(
    &[action("MOVE", &SMALL, 1), action("SAY", &TEXT, 2), action("SHOUT", &TEXT, 3)],
    &[action("TICK", &TEXT, 4)],
    10,
);
static NEW: ProtocolInfo = info(
    &[action("MOVE", &LARGE, 9), action("SAY", &TEXT, 2)],
    &[action("PAGE", &TEXT, 5), action("TICK", &TEXT, 4)],
    11,
);
static OTHER: ProtocolInfo = ProtocolInfo { name: "Chat", ..info(&[], &[], 10) };

const ID: ConnectionId = ConnectionId::from_bytes([7; 16]);

/// All frames in `bytes`, after the preface.
fn frames(bytes: &[u8]) -> Vec<Frame<'_>> {
    let mut rest = bytes.strip_prefix(&PREFACE).unwrap_or(bytes);
    let mut frames = Vec::new();
    while let Some((frame, used)) = decode(rest, REPORT_LEN).unwrap() {
        frames.push(frame);
        rest = &rest[used..];
    }
    assert!(rest.is_empty());
    frames
}

struct Meeting {
    /// All that went each way, in order.
    client_sent: Vec<Vec<u8>>,
    server_sent: Vec<Vec<u8>>,
    client: Result<Welcomed, HandshakeError>,
    server: Result<ClientHello, HandshakeError>,
}

/// Lets a client meet a server that lets everybody in.
fn meet(
    client: &'static ProtocolInfo,
    theirs: ShapePolicy,
    server: &'static ProtocolInfo,
    ours: ShapePolicy,
) -> Meeting {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let (mut client_sent, mut server_sent) = (Vec::new(), Vec::new());
    let limits = *Limits::default().calls(5);
    let mut client = ClientHandshake::new(client, b"secret", &limits, theirs, &mut to_server);
    let mut server = ServerHandshake::new(server, Limits::default().calls(6));
    let (mut welcomed, mut hello) = (None, None);
    loop {
        client_sent.push(std::mem::take(&mut to_server));
        match server.handle(client_sent.last().unwrap(), &mut to_client) {
            Ok((used, ServerStep::Hello(step))) => {
                assert_eq!(used, client_sent.last().unwrap().len());
                if step.matches {
                    server.welcome(ID, Some(&SessionToken::from_bytes([8; 16])), 15_000, &mut to_client);
                } else {
                    server.differ(ours, &mut to_client);
                }
                hello = Some(Ok(step));
            }
            Ok((_, ServerStep::More)) => {}
            Err(error) => hello = Some(Err(error)),
        }
        server_sent.push(std::mem::take(&mut to_client));
        match client.handle(server_sent.last().unwrap(), &mut to_server) {
            Ok((_, None)) => {}
            Ok((_, Some(step))) => welcomed = Some(Ok(step)),
            Err(error) => welcomed = Some(Err(error)),
        }
        if let Some(client) = welcomed {
            client_sent.push(to_server);
            return Meeting { client_sent, server_sent, client, server: hello.unwrap() };
        }
        assert!(client_sent.len() < 5, "the handshake does not end");
    }
}

fn report(result: Result<impl fmt::Debug, HandshakeError>) -> MismatchReport {
    match result {
        Err(HandshakeError::Mismatch(report)) => *report,
        other => panic!("not a mismatch: {other:?}"),
    }
}

#[test]
fn equal_fingerprints_open_the_connection() {
    let meeting = meet(&OLD, ShapePolicy::Names, &OLD, ShapePolicy::Names);
    let welcomed = meeting.client.unwrap();
    assert_eq!((welcomed.version, welcomed.connection_id, welcomed.heartbeat_ms), (1, ID, 15_000));
    assert_eq!(welcomed.limits.calls, 6);
    assert!(welcomed.token.is_some_and(|token| token.ct_eq(&SessionToken::from_bytes([8; 16]))));
    let hello = meeting.server.unwrap();
    assert_eq!((hello.credentials.as_bytes(), hello.limits.calls, hello.version), (b"secret".as_slice(), 5, 1));
    assert!(!format!("{hello:?}").contains("secret") && !format!("{hello:?}").contains("115, 101"));
}

#[test]
fn a_mismatch_names_fields_on_both_sides() {
    let meeting = meet(&OLD, ShapePolicy::Shapes, &NEW, ShapePolicy::Shapes);
    assert_eq!(
        report(meeting.client).to_string(),
        "the protocol `Game` is not the same on both sides:\n  \
         MOVE: here {xylophone: i32}, there {xylophone: i64}\n  \
         SHOUT: here {trombone: str}, unknown there\n  \
         1 more action there, unknown here"
    );
    assert_eq!(
        report(meeting.server).to_string(),
        "the protocol `Game` is not the same on both sides:\n  \
         MOVE: here {xylophone: i64}, there {xylophone: i32}\n  \
         SHOUT: unknown here\n  \
         PAGE: here {trombone: str}, unknown there"
    );
    let close = meeting.server_sent.last().unwrap();
    assert!(matches!(frames(close)[..], [Frame::Close(Close { code: CloseCode::ProtocolMismatch, .. })]));
    assert!(!contains(close, "xylophone") && !contains(close, "MOVE"), "the reason is short");
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether any piece holds something of a schema or an action the client did not name.
fn leaks(sent: &[Vec<u8>], texts: &[&str]) -> bool {
    texts.iter().any(|text| sent.iter().any(|bytes| contains(bytes, text)))
}

#[test]
fn under_names_no_byte_of_a_schema_is_sent() {
    let schema = ["xylophone", "trombone", "i32", "i64", "str", "{", "}"];
    let meeting = meet(&OLD, ShapePolicy::Names, &NEW, ShapePolicy::Names);
    assert!(!leaks(&meeting.server_sent, &schema) && !leaks(&meeting.server_sent, &["PAGE"]));
    assert!(!leaks(&meeting.client_sent, &schema));
    assert_eq!(
        report(meeting.client).to_string(),
        "the protocol `Game` is not the same on both sides:\n  \
         MOVE: differs, here {xylophone: i32}\n  \
         SHOUT: here {trombone: str}, unknown there"
    );

    // Each side follows its own policy only.
    let meeting = meet(&OLD, ShapePolicy::Shapes, &NEW, ShapePolicy::Names);
    assert!(!leaks(&meeting.server_sent, &schema) && leaks(&meeting.client_sent, &["{xylophone: i32}"]));
    let meeting = meet(&OLD, ShapePolicy::Names, &NEW, ShapePolicy::Shapes);
    assert!(leaks(&meeting.server_sent, &["{xylophone: i64}"]) && !leaks(&meeting.client_sent, &schema));
    assert!(!leaks(&meeting.server_sent, &["PAGE"]), "only actions the client named are answered");
}

#[test]
fn another_protocol_is_told_by_name() {
    let meeting = meet(&OTHER, ShapePolicy::Shapes, &NEW, ShapePolicy::Shapes);
    let expected = "the protocol is `Game` here and `Chat` there";
    assert_eq!(meeting.server.unwrap_err().to_string(), expected);
    assert_eq!(
        meeting.client.unwrap_err().to_string(),
        format!("the other side closed the connection: protocol-mismatch: {expected}")
    );
}

/// A server that has taken the preface.
fn server() -> ServerHandshake {
    let mut server = ServerHandshake::new(&NEW, &Limits::default());
    assert_eq!(server.handle(&PREFACE, &mut Vec::new()), Ok((4, ServerStep::More)));
    server
}

fn hello_of(info: &'static ProtocolInfo) -> Vec<u8> {
    let mut out = Vec::new();
    ClientHandshake::new(info, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    out
}

/// The code that the server sends for `input`, and the error it gives.
fn check_refused(server: &mut ServerHandshake, input: &[u8], code: CloseCode, expected: &str) {
    let mut out = Vec::new();
    let error = server.handle(input, &mut out).expect_err("must be refused");
    assert_eq!(error.to_string(), expected);
    let frames = frames(&out);
    let [Frame::Close(close)] = frames[..] else { panic!("{frames:?}") };
    assert_eq!(close.code, code);
}

#[test]
fn other_dialects_are_recognised_by_their_first_byte_and_told_nothing() {
    let check = |input: &[u8], expected: &str| {
        let mut out = Vec::new();
        let error = ServerHandshake::new(&NEW, &Limits::default()).handle(input, &mut out).unwrap_err();
        assert_eq!((error.to_string().as_str(), out.len()), (expected, 0));
        let mut hello = Vec::new();
        let mut client = ClientHandshake::new(&NEW, b"", &Limits::default(), ShapePolicy::Names, &mut hello);
        let error = client.handle(input, &mut out).unwrap_err();
        assert_eq!((error.to_string().as_str(), out.len()), (expected, 0));
    };
    check(b"{", "the other side speaks JSON, not the native dialect");
    check(b"\n {}", "the other side speaks JSON, not the native dialect");
    check(b"\x16\x03\x01", "the other side speaks TLS, and this side does not");
    check(b"GET / HTTP/1.1", "the other side speaks HTTP");
    check(b"SSH-2.0-x", r#"the other side does not speak pnet: it began with b"SSH-2.0-""#);
    check(b"\xF5pnT", r#"the other side does not speak pnet: it began with b"\xf5pnT""#);
    check(b"\xF5q", r#"the other side does not speak pnet: it began with b"\xf5q""#);
}

#[test]
fn frames_above_4_kib_are_refused_before_the_hello() {
    let length = HANDSHAKE_FRAME_LEN + 1;
    let expected = "the handshake could not be read";
    check_refused(&mut server(), &length.to_le_bytes(), CloseCode::FrameTooLong, expected);
}

#[test]
fn frames_that_are_not_due_are_refused() {
    let mut ping = Vec::new();
    put_ping(&mut ping, 1);
    let expected = "PING frame in the handshake, where HELLO is due";
    check_refused(&mut server(), &ping, CloseCode::ProtocolError, expected);

    let hello = hello_of(&OLD);
    let mut server = ServerHandshake::new(&NEW, &Limits::default());
    let mut out = Vec::new();
    let (used, step) = server.handle(&hello, &mut out).unwrap();
    assert!(matches!(step, ServerStep::Hello(ClientHello { matches: false, .. })) && used == hello.len());
    assert_eq!(server.handle(&hello[4..], &mut out), Ok((0, ServerStep::More)), "the caller has not decided");
    server.differ(ShapePolicy::Names, &mut out);
    let expected = "HELLO frame in the handshake, where OFFER or CLOSE is due";
    check_refused(&mut server, &hello[4..], CloseCode::ProtocolError, expected);
}

#[test]
fn wire_versions_without_overlap_are_refused() {
    let mut hello = hello_of(&NEW);
    // Preface, length and kind, tag and length of the first field.
    hello[12..16].copy_from_slice(&[2, 0, 3, 0]);
    let expected = "no wire version in common: here 1 to 1, there 2 to 3";
    let mut server = ServerHandshake::new(&NEW, &Limits::default());
    check_refused(&mut server, &hello, CloseCode::VersionUnsupported, expected);
    hello[12..16].copy_from_slice(&[1, 0, 3, 0]);
    let mut server = ServerHandshake::new(&NEW, &Limits::default());
    let (_, step) = server.handle(&hello, &mut Vec::new()).unwrap();
    assert!(matches!(step, ServerStep::Hello(ClientHello { version: 1, .. })));
}

#[test]
fn unsorted_offers_are_refused() {
    let offered = |names: &[&str]| {
        let mut body = Vec::new();
        for name in names {
            tlv::put(&mut body, tlv::ACTION, &[&[0; 9], name.as_bytes()].concat());
        }
        exchange::compare(&NEW, ShapePolicy::Shapes, &body).map(|(report, _)| report.entries.len())
    };
    assert_eq!(offered(&["A", "B"]), Ok(6), "two unknown here, four unknown there");
    let malformed = Err(HandshakeError::Malformed { frame: "OFFER", what: "its actions are not sorted" });
    assert_eq!(offered(&["B", "A"]), malformed);
    assert_eq!(offered(&["MOVE", "MOVE"]), malformed);
}

#[test]
fn text_of_the_other_side_is_escaped_and_bounded() {
    let mut body = Vec::new();
    let shape = format!("{{\u{1b}[2J\u{202e}{}}}", "x".repeat(60_000));
    tlv::put(&mut body, tlv::SHAPE, &[&[0, 2, 4], b"MOVE".as_slice(), shape.as_bytes()].concat());
    let (report, _) = exchange::answer(&OLD, ShapePolicy::Names, &body).unwrap();
    let text = report.to_string();
    assert!(text.contains(r"there {\u{1b}[2J\u{202e}xxx") && text.ends_with('…'), "{text}");
    assert!(text.len() < 10_000);
}

#[test]
fn an_action_that_was_not_offered_is_refused() {
    let mut body = Vec::new();
    tlv::put(&mut body, tlv::SHAPE, &[&[0, 0, 4], b"PAGE".as_slice()].concat());
    let error = exchange::answer(&OLD, ShapePolicy::Names, &body).unwrap_err();
    assert_eq!(error.to_string(), "malformed SHAPES frame: an action was not offered");
}

/// Thousands of actions, all different: every frame stays within the limit and what was left out is counted.
#[test]
fn large_protocols_are_compared_as_far_as_there_is_room() {
    fn many(hash: u64) -> &'static ProtocolInfo {
        let actions: Vec<_> =
            (0..3000).map(|n| action(Box::leak(format!("ACTION_{n:05}").into_boxed_str()), &TEXT, hash)).collect();
        Box::leak(Box::new(info(actions.leak(), &[], hash)))
    }
    let meeting = meet(many(1), ShapePolicy::Shapes, many(2), ShapePolicy::Shapes);
    for bytes in meeting.client_sent.iter().chain(&meeting.server_sent) {
        assert!(bytes.len() <= 4 + REPORT_LEN as usize);
    }
    for report in [report(meeting.client), report(meeting.server)] {
        let text = report.to_string();
        assert!(text.len() <= REPORT_LEN as usize, "{}", text.len());
        assert!(text.contains("ACTION_00000: here {trombone: str}, there {trombone: str}"));
        assert!(text.lines().last().unwrap().starts_with("  and "), "{text}");
    }
}

#[test]
fn a_refusal_reaches_the_client() {
    let mut out = Vec::new();
    let mut client = ClientHandshake::new(&NEW, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    let mut server = ServerHandshake::new(&NEW, &Limits::default());
    let mut answer = Vec::new();
    server.handle(&out, &mut answer).unwrap();
    let close = Close::new(CloseCode::Unauthorized, "wrong\npassword").with_retry(Retry::Never);
    server.refuse(close, &mut answer);
    out.clear();
    let error = client.handle(&answer, &mut out).unwrap_err();
    assert_eq!(
        error,
        HandshakeError::Closed {
            code: CloseCode::Unauthorized,
            retry: Retry::Never,
            reason: r"wrong\u{a}password".to_owned()
        }
    );
    assert!(out.is_empty(), "a close is not answered");
}

#[test]
fn a_deadline_is_told_to_native_peers_only() {
    let mut out = Vec::new();
    let mut silent = ServerHandshake::new(&NEW, &Limits::default());
    assert_eq!(silent.timed_out(&mut out), HandshakeError::TimedOut);
    assert!(out.is_empty());
    assert_eq!(server().timed_out(&mut out), HandshakeError::TimedOut);
    assert!(matches!(frames(&out)[..], [Frame::Close(Close { code: CloseCode::HandshakeTimeout, .. })]));
}

#[test]
fn a_connection_that_ends_early_keeps_its_report() {
    let mut out = Vec::new();
    let mut client = ClientHandshake::new(&OLD, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    assert_eq!(client.ended(), HandshakeError::Ended);

    out.clear();
    let mut client = ClientHandshake::new(&OLD, b"", &Limits::default(), ShapePolicy::Names, &mut out);
    let meeting = meet(&OLD, ShapePolicy::Names, &NEW, ShapePolicy::Shapes);
    for bytes in &meeting.server_sent[..2] {
        client.handle(bytes, &mut out).unwrap();
    }
    assert_eq!(client.ended(), meeting.client.unwrap_err());
}
