//! A protocol with a type of each kind, and an action of each.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    time::{Duration, SystemTime},
};

use pnet::{ByteBuf, Packet, Schema, protocol};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

protocol! {
    pub(crate) Everything {
        credentials Ticket;
        client {
            Scalars,
            Shaped -> (),
            Tree -> Tree,
            Loose -> Result<Found, Lost>,
            Unit -> stream Note,
            Nothing -> stream Result<Note, Unit>,
        }
        server { Note, Alarm }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Ticket(String);

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Scalars {
    unsigned: (u8, u16, u32, u64, u128),
    signed: (i8, i16, i32, i64, i128),
    floats: (f32, f64),
    others: (bool, char, (), String, ByteBuf),
    uuid: Uuid,
    duration: Duration,
    time: SystemTime,
    ip: (IpAddr, Ipv4Addr, Ipv6Addr),
    socket: (SocketAddr, SocketAddrV4, SocketAddrV6),
}

#[derive(Packet, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shaped {
    all_of_them: Vec<Shape>,
    array: [i32; 3],
    map: BTreeMap<Kind, Option<Name>>,
    #[serde(default)]
    filled_in: u8,
    result: Result<u16, String>,
}

#[derive(Schema, Serialize, Deserialize)]
pub(crate) enum Shape {
    Point,
    Circle(f32),
    Line(i32, i32),
    Named { name: Name },
    Nothing(),
}

#[derive(Eq, Ord, PartialEq, PartialOrd, Schema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    FirstOne,
    SecondOne,
}

#[derive(Schema, Serialize, Deserialize)]
pub(crate) struct Name(String);

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Tree {
    name: String,
    branches: Vec<Self>,
    twins: Option<Box<Pair<Self>>>,
}

#[derive(Schema, Serialize, Deserialize)]
pub(crate) struct Pair<T> {
    left: T,
    right: T,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Loose {
    #[schema(opaque)]
    any: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(flatten)]
    rest: Rest,
    tagged: Tagged,
}

#[derive(Schema, Serialize, Deserialize)]
pub(crate) struct Rest {
    more: u8,
}

#[derive(Schema, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum Tagged {
    A { x: u8 },
    B,
}

/// Two shapes of one name.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Found {
    bytes: Page<u8>,
    kinds: Page<Kind>,
}

#[derive(Schema, Serialize, Deserialize)]
pub(crate) struct Page<T> {
    items: Vec<T>,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Lost {
    #[serde(rename = "größe")]
    size: u64,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Unit;

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Nothing {}

#[derive(Packet, Serialize, Deserialize)]
#[packet("note.sent", when_full = "drop_new")]
pub(crate) struct Note(Kind);

#[derive(Packet, Serialize, Deserialize)]
#[packet(when_full = "disconnect")]
pub(crate) struct Alarm {
    nested: Vec<(u8, Option<Vec<bool>>)>,
}
