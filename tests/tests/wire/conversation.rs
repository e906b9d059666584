//! Recorded conversations: what stands in `tests/vectors/*.txt`, and how it is read.
//!
//! A line is one frame or preface: who sent it (`C` or `S`), its bytes in hexadecimal, `=` and what they mean. Lines
//! that begin with a space carry on the bytes of the line before; `#` begins a comment.

use std::fmt::Write;
use std::path::PathBuf;

use pnet_protocol::frame::{Frame, PREFACE, decode};
use pnet_protocol::limits::REPORT_LEN;
use pnet_tests::shown;

/// Who sent a piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// One frame or preface of a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Piece {
    pub(crate) sender: Sender,
    pub(crate) bytes: Vec<u8>,
    pub(crate) meaning: String,
}

/// All names of recorded conversations.
pub(crate) const NAMES: [&str; 6] = ["open", "calls", "mismatch-shapes", "mismatch-names", "other-protocol", "refused"];

/// Reads a recorded conversation.
pub(crate) fn read(name: &str) -> Vec<Piece> {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut pieces: Vec<Piece> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (bytes, meaning) = line.split_once(" = ").unwrap_or((line, ""));
        let (sender, bytes) = match bytes.split_at(1) {
            ("C", bytes) => (Some(Sender::Client), bytes),
            ("S", bytes) => (Some(Sender::Server), bytes),
            (" ", bytes) => (None, bytes),
            _ => panic!("{name}: cannot read {line:?}"),
        };
        let bytes = bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("two hex digits"));
        match sender {
            Some(sender) => pieces.push(Piece { sender, bytes: bytes.collect(), meaning: meaning.to_owned() }),
            None => {
                let piece = pieces.last_mut().expect("a line to carry on");
                piece.bytes.extend(bytes);
                piece.meaning.push_str(meaning);
            }
        }
    }
    pieces
}

/// All bytes one side sent, in order.
pub(crate) fn sent(pieces: &[Piece], sender: Sender) -> Vec<u8> {
    pieces.iter().filter(|piece| piece.sender == sender).flat_map(|piece| piece.bytes.clone()).collect()
}

/// Splits what a side wrote into its frames and says what they mean.
pub(crate) fn pieces(sender: Sender, mut bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let (meaning, used) = if bytes.starts_with(&PREFACE) {
            ("preface".to_owned(), PREFACE.len())
        } else {
            let (frame, used) = decode(bytes, REPORT_LEN).expect("a good frame").expect("a whole frame");
            (meaning(&frame), used)
        };
        let (piece, rest) = bytes.split_at(used);
        pieces.push(Piece { sender, bytes: piece.to_vec(), meaning });
        bytes = rest;
    }
    pieces
}

/// What a frame means: its fields, and the tagged fields of the handshake's frames.
pub(crate) fn meaning(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Hello(body) | Frame::Welcome(body) | Frame::Differ(body) | Frame::Offer(body) | Frame::Shapes(body) => {
            format!("{} {}", frame.name(), fields(body))
        }
        frame => shown::frame(frame),
    }
}

/// The text of a recorded conversation.
pub(crate) fn write(about: &str, pieces: &[Piece]) -> String {
    let mut text = String::new();
    for line in about.lines() {
        writeln!(text, "# {line}").unwrap();
    }
    for piece in pieces {
        let sender = match piece.sender {
            Sender::Client => 'C',
            Sender::Server => 'S',
        };
        let mut lines = piece.bytes.chunks(32).peekable();
        let mut first = sender;
        while let Some(bytes) = lines.next() {
            text.push(first);
            first = ' ';
            for byte in bytes {
                write!(text, " {byte:02x}").unwrap();
            }
            if lines.peek().is_none() {
                write!(text, " = {}", piece.meaning).unwrap();
            }
            text.push('\n');
        }
    }
    text
}

/// Where a recorded conversation stands.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name).with_extension("txt")
}

fn fields(mut body: &[u8]) -> String {
    let mut shown = Vec::new();
    while let [tag, low, high, rest @ ..] = body {
        let (value, rest) = rest.split_at(usize::from(u16::from_le_bytes([*low, *high])));
        shown.push(format!("{tag}: {}", field(*tag, value)));
        body = rest;
    }
    format!("{{ {} }}", shown.join(", "))
}

fn field(tag: u8, value: &[u8]) -> String {
    let text = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
    match (tag, value) {
        (2 | 4, name) => text(name),
        (3, value) => format!("{:#018x}", u64::from_le_bytes(value.try_into().expect("8 bytes"))),
        (6 | 12 | 13, value) => u32::from_le_bytes(value.try_into().expect("4 bytes")).to_string(),
        (1 | 7, value) => {
            format!("{:?}", value.chunks(2).map(|n| u16::from(n[0]) | u16::from(n[1]) << 8).collect::<Vec<_>>())
        }
        (5, value) => {
            let numbers = value.chunks(4).map(|n| u32::from_le_bytes(n.try_into().expect("4 bytes")));
            format!("{:?}", numbers.collect::<Vec<_>>())
        }
        (10, [sender, rest @ ..]) => {
            let (hash, action) = rest.split_at(8);
            let hash = u64::from_le_bytes(hash.try_into().expect("8 bytes"));
            format!("({sender}, {hash:#x}, {})", text(action))
        }
        (11, [sender, state, len, rest @ ..]) => {
            let (action, shape) = rest.split_at(usize::from(*len));
            format!("({sender}, {state}, {}, {})", text(action), text(shape))
        }
        (_, value) => value.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}
