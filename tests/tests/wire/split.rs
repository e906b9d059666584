//! Any split of the bytes gives the same conversation.

use pnet_protocol::handshake::ShapePolicy;

use crate::conversation::{NAMES, Sender, read, sent};
use crate::hostile::{Random, mutated};
use crate::protocols::{NEW, OLD, OTHER};
use crate::roles::{Client, Feed, Server, WRONG};

#[test]
fn two_pieces_cut_anywhere_are_one() {
    for listener in listeners() {
        let whole = listener.hear([listener.bytes.as_slice()]);
        for at in 0..=listener.bytes.len() {
            let (left, right) = listener.bytes.split_at(at);
            assert_eq!(listener.hear([left, right]), whole, "{} cut at {at}", listener.name);
        }
    }
}

#[test]
fn single_bytes_are_enough() {
    for listener in listeners() {
        let whole = listener.hear([listener.bytes.as_slice()]);
        assert_eq!(listener.hear(listener.bytes.chunks(1)), whole, "{}", listener.name);
    }
}

#[test]
fn random_pieces_are_one() {
    let mut random = Random::new(0x5EED);
    for listener in listeners() {
        let whole = listener.hear([listener.bytes.as_slice()]);
        for round in 0..300 {
            let pieces = cut(&mut random, &listener.bytes);
            assert_eq!(listener.hear(pieces), whole, "{} in round {round}", listener.name);
        }
    }
}

/// Faults, too, are found at the same place and told in the same words, however the bytes come.
#[test]
fn faulty_bytes_in_random_pieces_are_one() {
    let listeners = listeners();
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let listener = random.pick(&listeners);
        let bytes = mutated(&mut random, listener, &listeners);
        let whole = listener.hear([bytes.as_slice()]);
        let pieces = cut(&mut random, &bytes);
        assert_eq!(listener.hear(pieces), whole, "{} with seed {seed}", listener.name);
    }
}

/// The recorded conversations get as far as they are meant to, or else the tests above would compare failures.
#[test]
fn what_is_heard_is_what_was_said() {
    let last = |listener: &Listener| listener.hear([listener.bytes.as_slice()]).0.pop().unwrap_or_default();
    for listener in listeners() {
        let expected = match (listener.name, listener.sender) {
            ("open" | "calls", _) if listener.sender == Sender::Server || listener.name == "open" => "Close {",
            ("calls", _) => "Answer { id: 1, answer: Reply([5]) }",
            ("mismatch-shapes", Sender::Client) => {
                "error: the protocol `Game` is not the same on both sides:\n  \
                 MOVE: here {horizontal: i64, vertical: i64}, there {horizontal: i32, vertical: i32}"
            }
            ("mismatch-shapes" | "mismatch-names", _) => "error: the protocol `Game` is not the same on both sides:\n",
            ("other-protocol", Sender::Client) => "error: the protocol is `Game` here and `Weather` there",
            ("refused", Sender::Client) => "ClientHello",
            _ => "error: the other side closed the connection: ",
        };
        let last = last(&listener);
        assert!(last.starts_with(expected), "{} by {:?}: {last}", listener.name, listener.sender);
    }
}

/// Random pieces, some of them empty.
fn cut<'a>(random: &mut Random, bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    let longest = 1 + random.below(60);
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(random.below(longest + 1).min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// Somebody who hears what `sender` said in a recorded conversation.
pub(crate) struct Listener {
    pub(crate) name: &'static str,
    pub(crate) sender: Sender,
    pub(crate) bytes: Vec<u8>,
}

impl Listener {
    /// What comes of these pieces: the log, and all that is written.
    pub(crate) fn hear<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Vec<u8>) {
        let mut end = self.end();
        for piece in pieces {
            end.feed(piece);
        }
        let end = end.end();
        (std::mem::take(&mut end.log), std::mem::take(&mut end.out))
    }

    /// A fresh end of the connection, at the start of the conversation.
    pub(crate) fn end(&self) -> Box<dyn Feed> {
        let shapes = if self.name == "mismatch-shapes" { ShapePolicy::Shapes } else { ShapePolicy::Names };
        match self.sender {
            Sender::Client if self.name.starts_with("mismatch") || self.name == "other-protocol" => {
                Box::new(Server::new(&NEW, shapes))
            }
            Sender::Client => Box::new(Server::new(&OLD, shapes)),
            Sender::Server if self.name == "other-protocol" => Box::new(Client::new(&OTHER, b"", shapes)),
            Sender::Server if self.name == "refused" => Box::new(Client::new(&OLD, WRONG, shapes)),
            Sender::Server => Box::new(Client::new(&OLD, b"", shapes)),
        }
    }
}

/// Both listeners of every recorded conversation.
pub(crate) fn listeners() -> Vec<Listener> {
    let both = |name| {
        let pieces = read(name);
        [Sender::Client, Sender::Server].map(|sender| Listener { name, sender, bytes: sent(&pieces, sender) })
    };
    NAMES.into_iter().flat_map(both).collect()
}
