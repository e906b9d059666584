//! Any bytes as objects, for both sides: no panic, and the bounds hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pnet_protocol::connection::Event;
use pnet_protocol::id::{ConnectionId, SessionToken};
use pnet_protocol::json::{Envelope, Form, Greeting, JsonHandshake, JsonReader};
use pnet_protocol::limits::Limits;
use pnet_protocol::packet::{Codec, WhenFull};
use pnet_protocol::protocol::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo};
use pnet_protocol::schema::{Prim, Ty};

static INFO: ProtocolInfo = ProtocolInfo {
    name: "Fuzz",
    client: Direction {
        actions: &[action("ASK", ReplyInfo::Ack), action("FLOW", FLOW), action("SAY", ReplyInfo::None)],
    },
    server: Direction { actions: &[] },
    fingerprint: 1,
    credentials: None,
};

const FLOW: ReplyInfo = ReplyInfo::Stream {
    item: PartInfo { action: "DROP", type_name: "DROP", codec: Codec::Json, schema: &Ty::Prim(Prim::Unit) },
    error: None,
};

const fn action(action: &'static str, reply: ReplyInfo) -> ActionInfo {
    ActionInfo {
        action,
        type_name: action,
        codec: Codec::Json,
        schema: &Ty::Prim(Prim::Unit),
        reply,
        hash: 1,
        when_full: WhenFull::Wait,
    }
}

fuzz_target!(|input: &[u8]| {
    let _ = Envelope::read(input);
    let _ = Greeting::new(&INFO).handle(input);
    let _ = JsonHandshake::new(&INFO).handle(input);
    let mut limits = Limits::default();
    limits.calls(3).packets(1).streams(2);
    let reader = || {
        let (id, token) = (ConnectionId::from_bytes([1; 16]), SessionToken::from_bytes([2; 16]));
        JsonReader::server(&INFO, &limits, id, token, Form::Plain)
    };
    let (mut reader, mut short) = (reader(), reader());
    short.begin();
    let mut at = 0;
    while let Ok(Some((event, used))) = reader.next(&input[at..]) {
        // What repeats the object before is read in a shorter way, as the same.
        let (again, len) = match short.usual(input, at) {
            Some((usual, len)) => (Event::from(usual), len),
            None => short.next_at(input, at).ok().flatten().expect("it was read before"),
        };
        assert_eq!((&event, used), (&again, len));
        if let Event::Cancel { id } = event {
            reader.call_finished(id);
            short.call_finished(id);
        }
        assert!(reader.open_calls() <= 5 && reader.open_packets() <= 16);
        at += used;
    }
});
