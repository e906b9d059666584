//! The recorded conversations: today's encoders write exactly these bytes, and today's decoders read them.
//!
//! `PNET_BLESS=1 cargo test -p pnet-tests --test wire` records them anew; that is right only together with a change of
//! `docs/wire.md`.

use pnet_protocol::close::{Close, CloseCode, Retry};
use pnet_protocol::frame::{Frame, PREFACE, StreamEnd, decode};
use pnet_protocol::handshake::ShapePolicy;
use pnet_protocol::limits::REPORT_LEN;

use crate::conversation::{self, NAMES, Piece, Sender, meaning, pieces, read, sent};
use crate::protocols::{NEW, OLD, OTHER, SHAPE_WORDS};
use crate::roles::{Client, Feed, Server, WRONG};

#[test]
fn encoders_write_what_is_recorded() {
    for name in NAMES {
        let (about, pieces) = spoken(name);
        if std::env::var_os("PNET_BLESS").is_some() {
            std::fs::write(conversation::path(name), conversation::write(about, &pieces)).expect("can write");
        }
        let recorded = read(name);
        for (index, (recorded, spoken)) in recorded.iter().zip(&pieces).enumerate() {
            assert_eq!(recorded, spoken, "{name}, piece {index}");
        }
        assert_eq!(recorded.len(), pieces.len(), "{name}");
    }
}

#[test]
fn decoders_read_what_is_recorded() {
    for name in NAMES {
        for piece in read(name) {
            if piece.bytes == PREFACE {
                assert_eq!(piece.meaning, "preface");
                continue;
            }
            let (frame, used) = decode(&piece.bytes, REPORT_LEN).expect("a good frame").expect("a whole frame");
            assert_eq!((used, meaning(&frame)), (piece.bytes.len(), piece.meaning), "{name}");
            let mut again = Vec::new();
            frame.encode(&mut again);
            assert_eq!(again, piece.bytes, "{name}");
        }
    }
}

#[test]
fn names_only_means_no_word_of_a_shape() {
    for sender in [Sender::Client, Sender::Server] {
        let bytes = sent(&read("mismatch-names"), sender);
        let words = SHAPE_WORDS.iter().filter(|word| bytes.windows(word.len()).any(|part| part == word.as_bytes()));
        assert_eq!(words.count(), 0);
        assert!(!bytes.windows(4).any(|part| part == b"KICK"), "an action the client did not name");
    }
    let told = sent(&read("mismatch-shapes"), Sender::Server);
    assert!(told.windows(10).any(|part| part == b"horizontal"), "the test looks for the right words");
}

/// Bytes quoted in `docs/wire.md`, from four up, stand in a recorded conversation.
#[test]
fn examples_of_the_document_are_recorded() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md");
    let document = std::fs::read_to_string(document).expect("the document is there");
    let recorded: Vec<u8> = NAMES.into_iter().flat_map(read).flat_map(|piece| piece.bytes).collect();
    let hex = |text: &str| {
        let bytes = text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2));
        bytes.collect::<Option<Vec<u8>>>().filter(|bytes| bytes.len() >= 4)
    };
    // The parts between backticks are the odd ones; in a block, each line ends with its meaning.
    let quoted = document.split('`').skip(1).step_by(2).filter_map(hex);
    let examples: Vec<Vec<u8>> = quoted.collect();
    assert!(examples.len() >= 7, "{examples:02x?}");
    for example in examples {
        let found = recorded.windows(example.len()).any(|bytes| bytes == example);
        assert!(found, "not recorded: {example:02x?}");
    }
}

/// What a conversation is about, and the conversation as it is spoken today.
fn spoken(name: &str) -> (&'static str, Vec<Piece>) {
    let wrong = || Client::new(&OLD, WRONG, ShapePolicy::Names);
    match name {
        "open" => ("A connection is opened, sends every frame of the open state, and closes.", open()),
        "calls" => ("Both sides use the same call ids in different meanings; a call is cancelled.", calls()),
        "mismatch-shapes" => (
            "Two builds of a protocol, both sides willing to show their shapes.",
            meet(Client::new(&OLD, b"", ShapePolicy::Shapes), Server::new(&NEW, ShapePolicy::Shapes)),
        ),
        "mismatch-names" => (
            "Two builds of a protocol, neither side willing to show its shapes.",
            meet(Client::new(&OLD, b"", ShapePolicy::Names), Server::new(&NEW, ShapePolicy::Names)),
        ),
        "other-protocol" => (
            "The client has another protocol than the server.",
            meet(Client::new(&OTHER, b"", ShapePolicy::Shapes), Server::new(&NEW, ShapePolicy::Shapes)),
        ),
        "refused" => {
            ("The server does not take the client's credentials.", meet(wrong(), Server::new(&OLD, ShapePolicy::Names)))
        }
        _ => panic!("no conversation is called {name}"),
    }
}

/// Lets two ends talk until neither has anything to say.
fn meet(mut client: Client, mut server: Server) -> Vec<Piece> {
    let mut all = Vec::new();
    loop {
        let said = std::mem::take(&mut client.end().out);
        server.feed(&said);
        let answered = std::mem::take(&mut server.end().out);
        client.feed(&answered);
        if said.is_empty() && answered.is_empty() {
            return all;
        }
        all.extend(pieces(Sender::Client, &said));
        all.extend(pieces(Sender::Server, &answered));
    }
}

fn opened() -> Vec<Piece> {
    meet(Client::new(&OLD, br#""letmein""#, ShapePolicy::Names), Server::new(&OLD, ShapePolicy::Names))
}

fn then(mut pieces: Vec<Piece>, frames: &[(Sender, Frame<'_>)]) -> Vec<Piece> {
    for (sender, frame) in frames {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        pieces.push(Piece { sender: *sender, bytes, meaning: meaning(frame) });
    }
    pieces
}

fn open() -> Vec<Piece> {
    use Sender::{Client as C, Server as S};
    let done = Close::new(CloseCode::Normal, "");
    let restart = Close::new(CloseCode::GoingAway, "restarting").with_retry(Retry::After(1500));
    let failed = StreamEnd::Failure { code: "internal", message: "" };
    then(
        opened(),
        &[
            (C, Frame::Time { micros: 1_700_000_000_000_000 }),
            (C, Frame::Packet { action: 1, payload: &[0x0a, 0x13] }),
            (C, Frame::Call { id: 0x1000, action: 0, timeout_ms: 30_000, payload: b"\x03Ada" }),
            (S, Frame::Time { micros: 1_700_000_000_000_250 }),
            (S, Frame::Reply { id: 0x1000, payload: &[0xac, 0x02] }),
            (C, Frame::Call { id: 0x2000, action: 0, timeout_ms: 0, payload: b"\x03Bob" }),
            (S, Frame::Error { id: 0x2000, payload: &[0x07] }),
            (C, Frame::Call { id: 0x3000, action: 2, timeout_ms: 0, payload: b"\x02hi" }),
            (S, Frame::Reply { id: 0x3000, payload: b"" }),
            (C, Frame::Call { id: 0x4000, action: 99, timeout_ms: 0, payload: b"" }),
            (S, Frame::Failure { id: 0x4000, code: "unknown-action", message: "no action has the number 99" }),
            (S, Frame::Packet { action: 0, payload: &[0x01] }),
            (C, Frame::Credit { id: 0, packets: 32, bytes: 4096 }),
            (C, Frame::Credit { id: 0x5000, packets: 16, bytes: 0 }),
            (S, Frame::Item { id: 0x5000, payload: &[0x01] }),
            (S, Frame::End { id: 0x5000, end: StreamEnd::Done }),
            (S, Frame::End { id: 0x6000, end: StreamEnd::Error(&[0x07]) }),
            (S, Frame::End { id: 0x7000, end: failed }),
            (S, Frame::Ping { nonce: 0x1122_3344_5566_7788 }),
            (C, Frame::Pong { nonce: 0x1122_3344_5566_7788 }),
            (C, Frame::Close(done)),
            (S, Frame::Close(restart)),
        ],
    )
}

fn calls() -> Vec<Piece> {
    use Sender::{Client as C, Server as S};
    let call = |id| Frame::Call { id, action: 0, timeout_ms: 0, payload: b"\x01x" };
    let never = Close::new(CloseCode::Other(40_000), "enough").with_retry(Retry::Never);
    then(
        opened(),
        &[
            (C, call(1)),
            (S, call(1)),
            (C, call(2)),
            (C, call(3)),
            (C, call(4)),
            (S, Frame::Failure { id: 4, code: "busy", message: "3 calls are open" }),
            (C, Frame::Cancel { id: 2 }),
            (S, Frame::Failure { id: 2, code: "cancelled", message: "" }),
            (C, Frame::Cancel { id: 2 }),
            (C, Frame::Reply { id: 1, payload: &[0x05] }),
            (S, Frame::Reply { id: 1, payload: &[0x06] }),
            (S, Frame::Close(never)),
        ],
    )
}
