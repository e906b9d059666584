//! Hashes as `docs/wire.md` §7.3 says, computed once more from that text alone, and its example.

use pnet_protocol::packet::{Codec, DecodeError, EncodeError, Packet};
use pnet_protocol::protocol::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo, Role};
use pnet_protocol::schema::{Field, Prim, Schema, Ty, Variant};

struct Move;
struct Ping;
struct Say;
struct Yes;
struct No;

impl Schema for Move {
    const SCHEMA: &'static Ty = &Ty::Struct(&[
        Field { name: "x", ty: &Ty::Prim(Prim::I32), default: false },
        Field { name: "y", ty: &Ty::Prim(Prim::I32), default: false },
    ]);
}

impl Schema for Ping {
    const SCHEMA: &'static Ty = &Ty::Struct(&[]);
}

impl Schema for Say {
    const SCHEMA: &'static Ty = &Ty::Named(
        "Say",
        &Ty::Struct(&[
            field("kind", &KIND),
            field("list", &Ty::Seq(&Ty::Prim(Prim::U16))),
            field("three", &Ty::Array(&Ty::Prim(Prim::I8), 3)),
            field("map", &Ty::Map(&Ty::Prim(Prim::Str), &Ty::Prim(Prim::F64))),
            field("pair", &Ty::Tuple(&[&Ty::Prim(Prim::Unit), &Ty::Prim(Prim::Char)])),
            Field { name: "rest", ty: &Ty::Option(&Ty::Prim(Prim::Bytes)), default: true },
            field("next", &Ty::Seq(&Ty::Ref("Say"))),
        ]),
    );
}

static KIND: Ty = Ty::Enum(&[
    Variant { name: "A", body: None },
    Variant { name: "B", body: Some(&Ty::Prim(Prim::U8)) },
    Variant { name: "C", body: Some(&Ty::Tuple(&[&Ty::Prim(Prim::U8), &Ty::Prim(Prim::Str)])) },
    Variant { name: "D", body: Some(&Ty::Struct(&[field("x", &Ty::Option(&Ty::Prim(Prim::Bool)))])) },
]);

const fn field(name: &'static str, ty: &'static Ty) -> Field {
    Field { name, ty, default: false }
}

impl Schema for Yes {
    const SCHEMA: &'static Ty = &Ty::Prim(Prim::U8);
}

impl Schema for No {
    const SCHEMA: &'static Ty = &Ty::Struct(&[field("why", &Ty::Prim(Prim::Str))]);
}

macro_rules! packet {
    ($name:ident, $action:literal) => {
        impl Packet for $name {
            const ACTION: &'static str = $action;
            const TYPE: &'static str = stringify!($name);
            const CODEC: Codec = pnet_protocol::schema::codec(Self::SCHEMA);
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
packet!(Say, "SAY");
packet!(Yes, "YES");
packet!(No, "NO");

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

#[test]
fn most_types_are_hashed_as_documented() {
    let prim = |name: &str| [&[1][..], &text(name)].concat();
    let kind = [
        [&[10][..], &number(4)].concat(),
        [&text("A")[..], &[0]].concat(),
        [&text("B")[..], &[1], &prim("u8")].concat(),
        [&text("C")[..], &[1, 8], &number(2), &prim("u8"), &prim("str")].concat(),
        [&text("D")[..], &[1, 9], &number(1), &text("x"), &[0, 4], &prim("bool")].concat(),
    ];
    let say = [
        [&[9][..], &number(7)].concat(),
        [&text("kind")[..], &[0], &kind.concat()].concat(),
        [&text("list")[..], &[0, 5], &prim("u16")].concat(),
        [&text("three")[..], &[0, 6], &number(3), &prim("i8")].concat(),
        [&text("map")[..], &[0, 7], &prim("str"), &prim("f64")].concat(),
        [&text("pair")[..], &[0, 8], &number(2), &prim("()"), &prim("char")].concat(),
        [&text("rest")[..], &[1, 4], &prim("bytes")].concat(),
        [&text("next")[..], &[0, 5, 3], &text("Say")].concat(),
    ];
    let no = [&text("NO")[..], &[0, 9], &number(1), &text("why"), &[0], &prim("str")].concat();
    let answer = [&text("result")[..], &text("YES"), &[0], &prim("u8"), &no].concat();
    let hash = fnv(&[&[1, 1][..], &text("SAY"), &[1], &say.concat(), &answer].concat());
    let reply = ReplyInfo::Result(PartInfo::of::<Yes>(), PartInfo::of::<No>());
    let info = ActionInfo::of::<Say>(Role::Server, reply);
    assert_eq!(info.hash, hash);

    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md");
    let document = std::fs::read_to_string(document).expect("the document is there");
    for line in [format!("| hash of `SAY` | `{hash:#018x}` |"), info.shape().to_string()] {
        assert!(document.lines().any(|other| other == line), "docs/wire.md lacks: {line}");
    }
}

#[test]
fn streams_are_hashed_as_documented() {
    let byte = [&[0][..], &[1], &text("u8")].concat();
    let no = [&text("NO")[..], &[0, 9], &number(1), &text("why"), &[0, 1], &text("str")].concat();
    let asked = [&[1, 0][..], &text("PING"), &[0, 9], &number(0)].concat();
    let item = [&text("YES")[..], &byte].concat();
    let plain = fnv(&[&asked[..], &text("stream"), &item].concat());
    let failing = fnv(&[&asked[..], &text("stream-result"), &item, &no].concat());

    let yes = PartInfo::of::<Yes>();
    let of = |error| ActionInfo::of::<Ping>(Role::Client, ReplyInfo::Stream { item: yes, error });
    let infos = [of(None), of(Some(PartInfo::of::<No>()))];
    assert_eq!(infos.map(|info| info.hash), [plain, failing]);
    assert_eq!(
        infos.map(|info| info.shape().to_string()),
        ["{} -> stream u8", "{} -> stream u8 or {why: str}"].map(str::to_owned)
    );
    let once = [ReplyInfo::Packet(yes), ReplyInfo::Result(yes, PartInfo::of::<No>())];
    for reply in once {
        let hash = ActionInfo::of::<Ping>(Role::Client, reply).hash;
        assert!(hash != plain && hash != failing, "a stream is not an answer of one packet");
    }

    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md");
    let document = std::fs::read_to_string(document).expect("the document is there");
    for info in infos {
        let row = format!("| `{}` | `{:#018x}` |", info.shape(), info.hash);
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
