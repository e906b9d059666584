//! What was recorded, read again by the machines of the wire: for the tokens in it, and for how its parts print.

use pnet::{Dialect, Limits, Protocol as _};
use pnet_protocol::{
    frame::{self, Frame},
    handshake::{ClientHandshake, ServerHandshake, ShapePolicy},
    id::{ConnectionId, SessionToken},
    json::{Envelope, Form, Greeting, JsonHandshake, JsonReader},
    protocol::Role,
    wire::{Reader, Writer},
};
use serde_json::Value;

use super::{
    house::Talk,
    watch::{Tape, Watch, lock},
};

fn dialect(bytes: &[u8]) -> Dialect {
    if bytes.starts_with(&frame::PREFACE) { Dialect::Native } else { Dialect::Json }
}

/// The secrets that a server gave to its client.
pub(crate) fn tokens(tape: &Tape) -> Vec<[u8; 16]> {
    let received = lock(&tape.to_client).clone();
    if dialect(&received) == Dialect::Native {
        let welcomed = client().handle(&received, &mut Vec::new()).ok().and_then(|(_, welcomed)| welcomed);
        let token = welcomed.and_then(|welcomed| welcomed.token);
        return token.map(|token| *token.expose_bytes()).into_iter().collect();
    }
    let objects = serde_json::Deserializer::from_slice(&received).into_iter::<Value>();
    objects
        .map_while(Result::ok)
        .filter(|object| object["action"] == "handShake")
        .filter_map(|object| SessionToken::from_text(object["data"]["uuid"].as_str()?))
        .map(|token| *token.expose_bytes())
        .collect()
}

fn client() -> ClientHandshake {
    ClientHandshake::new(Talk::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut Vec::new())
}

/// Prints whatever the wire makes of both directions.
pub(crate) fn show(watch: &Watch, tape: &Tape) {
    let (sent, received) = (lock(&tape.to_server).clone(), lock(&tape.to_client).clone());
    match dialect(&sent) {
        Dialect::Native => {
            let mut server = ServerHandshake::new(Talk::INFO, &Limits::default());
            watch.show(&server.handle(&sent, &mut Vec::new()));
            watch.show(&server);
            let mut client = client();
            watch.show(&client.handle(&received, &mut Vec::new()));
            watch.show(&client);
            frames(watch, Role::Client, &sent);
            frames(watch, Role::Server, &received);
        }
        _ => {
            let mut greeting = Greeting::new(Talk::INFO);
            watch.show(&greeting.handle(&sent));
            watch.show(&greeting);
            let mut handshake = JsonHandshake::new(Talk::INFO);
            watch.show(&handshake.handle(&received));
            watch.show(&handshake);
            let token = tokens(tape).first().copied().map(SessionToken::from_bytes);
            let id = ConnectionId::random();
            let server = token.map(|token| JsonReader::server(Talk::INFO, &Limits::default(), id, token, Form::Pnet));
            objects(watch, &sent, server);
            objects(watch, &received, Some(JsonReader::client(Talk::INFO, &Limits::default(), Form::Pnet)));
        }
    }
}

/// All frames of one direction, and what they mean.
fn frames(watch: &Watch, from: Role, bytes: &[u8]) {
    let mut reader = Reader::native(&Limits::default(), Talk::INFO.sent_by(from));
    watch.show(&Writer::native(&Limits::default()));
    let mut rest = bytes.get(frame::PREFACE.len()..).unwrap_or_default();
    while let Ok(Some((frame, len))) = frame::decode(rest, 1 << 22) {
        watch.show(&frame);
        if !matches!(frame, Frame::Hello(_) | Frame::Welcome(_)) {
            watch.show(&reader.next(rest));
        }
        rest = &rest[len..];
    }
    watch.show(&reader);
}

/// All objects of one direction, and what they mean.
fn objects(watch: &Watch, bytes: &[u8], mut reader: Option<JsonReader>) {
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let mut start = 0;
    while let Some(Ok(_)) = stream.next() {
        let object = bytes[start..stream.byte_offset()].trim_ascii();
        watch.show(&Envelope::read(object));
        start = stream.byte_offset();
    }
    let Some(reader) = &mut reader else { return };
    let mut rest = bytes;
    while let Ok(Some((event, len))) = reader.next(rest) {
        watch.show(&event);
        rest = &rest[len..];
    }
    watch.show(&reader);
}
