//! Protocols written out by hand, so that the recorded bytes depend on the wire alone and not on how hashes are made.

use pnet_protocol::packet::{Codec, WhenFull};
use pnet_protocol::protocol::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo};
use pnet_protocol::schema::{Field, Prim, Ty};

/// Yesterday's client.
pub(crate) static OLD: ProtocolInfo = ProtocolInfo {
    name: "Game",
    client: Direction {
        actions: &[
            action("JOIN", &NAME, ReplyInfo::Result(part("ROOM", &ROOM), part("FULL", &ROOM)), 0x11),
            action("MOVE", &POINT_32, ReplyInfo::None, 0x12),
            action("SHOUT", &NAME, ReplyInfo::Ack, 0x13),
        ],
    },
    server: Direction { actions: &[action("TICK", &ROOM, ReplyInfo::None, 0x21)] },
    fingerprint: 0x0123_4567_89AB_CDEF,
    credentials: None,
};

/// Today's server: `MOVE` has larger numbers, `SHOUT` is gone, `KICK` is new.
pub(crate) static NEW: ProtocolInfo = ProtocolInfo {
    name: "Game",
    client: Direction {
        actions: &[
            action("JOIN", &NAME, ReplyInfo::Result(part("ROOM", &ROOM), part("FULL", &ROOM)), 0x11),
            action("MOVE", &POINT_64, ReplyInfo::None, 0x32),
        ],
    },
    server: Direction {
        actions: &[action("KICK", &NAME, ReplyInfo::None, 0x22), action("TICK", &ROOM, ReplyInfo::None, 0x21)],
    },
    fingerprint: 0xFEDC_BA98_7654_3210,
    credentials: None,
};

/// Something else altogether.
pub(crate) static OTHER: ProtocolInfo = ProtocolInfo {
    name: "Weather",
    client: Direction { actions: &[] },
    server: Direction { actions: &[] },
    fingerprint: 1,
    credentials: None,
};

/// Names of fields and types that only shapes hold.
pub(crate) const SHAPE_WORDS: [&str; 5] = ["horizontal", "vertical", "nickname", "chamber", "i32"];

static POINT_32: Ty = Ty::Struct(&[field("horizontal", &Ty::Prim(Prim::I32)), field("vertical", &Ty::Prim(Prim::I32))]);
static POINT_64: Ty = Ty::Struct(&[field("horizontal", &Ty::Prim(Prim::I64)), field("vertical", &Ty::Prim(Prim::I64))]);
static NAME: Ty = Ty::Struct(&[field("nickname", &Ty::Prim(Prim::Str))]);
static ROOM: Ty = Ty::Struct(&[field("chamber", &Ty::Prim(Prim::U32))]);

const fn field(name: &'static str, ty: &'static Ty) -> Field {
    Field { name, ty, default: false }
}

const fn part(action: &'static str, schema: &'static Ty) -> PartInfo {
    PartInfo { action, type_name: action, codec: Codec::Postcard, schema }
}

const fn action(action: &'static str, schema: &'static Ty, reply: ReplyInfo, hash: u64) -> ActionInfo {
    ActionInfo { action, type_name: action, codec: Codec::Postcard, schema, reply, when_full: WhenFull::Wait, hash }
}
