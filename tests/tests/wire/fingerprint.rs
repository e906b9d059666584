//! Hashes as `docs/wire.md` §7.3 says, computed once more from that text alone, and its example.

use pnet_protocol::packet::{Codec, DecodeError, EncodeError, Packet};
use pnet_protocol::protocol::{ActionInfo, Direction, ProtocolInfo, ReplyInfo, Role};
use pnet_protocol::schema::{Field, Prim, Schema, Ty};

struct Move;
struct Ping;

impl Schema for Move {
    const SCHEMA: &'static Ty = &Ty::Struct(&[
        Field { name: "x", ty: &Ty::Prim(Prim::I32), default: false },
        Field { name: "y", ty: &Ty::Prim(Prim::I32), default: false },
    ]);
}

impl Schema for Ping {
    const SCHEMA: &'static Ty = &Ty::Struct(&[]);
}

macro_rules! packet {
    ($name:ident, $action:literal) => {
        impl Packet for $name {
            const ACTION: &'static str = $action;
            const TYPE: &'static str = stringify!($name);
            const CODEC: Codec = Codec::Postcard;
            type At<'de> = Self;

            fn encode(&self, _: Codec, _: &mut Vec<u8>) -> Result<(), EncodeError> {
                unreachable!("only the constants are used")
            }

            fn decode(_: Codec, _: &[u8]) -> Result<Self, DecodeError> {
                unreachable!("only the constants are used")
            }
        }
    };
}

packet!(Move, "MOVE");
packet!(Ping, "PING");

static INFO: ProtocolInfo = ProtocolInfo::new(
    "Game",
    Direction {
        actions: &[
            ActionInfo::of::<Move>(Role::Client, ReplyInfo::None),
            ActionInfo::of::<Ping>(Role::Client, ReplyInfo::Ack),
        ],
    },
    Direction { actions: &[] },
);

#[test]
fn hashes_are_as_documented() {
    let point = [&[9][..], &number(2), &text("x"), &[0, 1], &text("i32"), &text("y"), &[0, 1], &text("i32")].concat();
    let moved = fnv(&[&[1, 0][..], &text("MOVE"), &[0], &point, &text("one-way")].concat());
    let pinged = fnv(&[&[1, 0][..], &text("PING"), &[0, 9], &number(0), &text("acknowledged")].concat());
    let all = [&[1][..], &number(2), &number(moved), &number(pinged), &number(0)].concat();
    assert_eq!(INFO.client.actions[0].hash, moved);
    assert_eq!(INFO.client.actions[1].hash, pinged);
    assert_eq!(INFO.fingerprint, fnv(&all));

    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md");
    let document = std::fs::read_to_string(document).expect("the document is there");
    for (what, hash) in [("hash of `MOVE`", moved), ("hash of `PING`", pinged), ("fingerprint", INFO.fingerprint)] {
        let row = format!("| {what} | `{hash:#018x}` |");
        assert!(document.contains(&row), "docs/wire.md lacks: {row}");
    }
}

fn number(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

fn text(text: &str) -> Vec<u8> {
    [&number(text.len() as u64)[..], text.as_bytes()].concat()
}

fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
