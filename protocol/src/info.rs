//! What is known of a protocol at run time: who sends what, what answers it, how it looks, and the hashes by which two
//! programs compare it.

use std::fmt::{self, Display, Formatter};

use crate::{
    packet::{Codec, Packet, WhenFull},
    schema::{self, Ty},
};

/// All that is said in a protocol.
#[derive(Debug)]
pub struct ProtocolInfo {
    /// The protocol's name.
    pub name: &'static str,
    /// What clients send.
    pub client: Direction,
    /// What servers send.
    pub server: Direction,
    /// Hash over both directions; equal fingerprints mean that both sides mean the same. Credentials are no part of it.
    pub fingerprint: u64,
    /// What clients show to be let in, as the protocol names it; `None` if nothing.
    pub credentials: Option<&'static str>,
}

impl ProtocolInfo {
    /// Puts the two directions together.
    #[must_use]
    pub const fn new(name: &'static str, client: Direction, server: Direction) -> Self {
        let fingerprint = fingerprint(&client, &server);
        Self { name, client, server, fingerprint, credentials: None }
    }

    /// Whose clients show a value of this type.
    #[must_use]
    pub const fn with_credentials(self, type_name: &'static str) -> Self {
        Self { credentials: Some(type_name), ..self }
    }

    /// What `role` receives, so what the other side sends.
    #[must_use]
    pub const fn received_by(&self, role: Role) -> &Direction {
        match role {
            Role::Server => &self.client,
            Role::Client => &self.server,
        }
    }

    /// What `role` sends.
    #[must_use]
    pub const fn sent_by(&self, role: Role) -> &Direction {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

/// What one side sends, sorted by action; the position is the number on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Direction {
    /// The actions.
    pub actions: &'static [ActionInfo],
}

impl Direction {
    /// The number of an action.
    #[must_use]
    pub fn find(&self, action: &str) -> Option<u16> {
        let index = self.actions.binary_search_by(|info| info.action.cmp(action)).ok()?;
        u16::try_from(index).ok()
    }

    /// The action of a number.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<&'static ActionInfo> {
        self.actions.get(usize::from(id))
    }
}

/// A packet as one side of a protocol sends it.
#[derive(Clone, Copy, Debug)]
pub struct ActionInfo {
    /// The action.
    pub action: &'static str,
    /// The name of the packet's type.
    pub type_name: &'static str,
    /// How the payload is written in native frames.
    pub codec: Codec,
    /// The shape of the payload.
    pub schema: &'static Ty,
    /// What answers it.
    pub reply: ReplyInfo,
    /// What becomes of it if the queue is full.
    pub when_full: WhenFull,
    /// Covers all of this but the names of types and the rule for a full queue; the direction, and the version of the schema format.
    pub hash: u64,
}

impl ActionInfo {
    /// Describes packet `T` as `role` sends it.
    #[must_use]
    pub const fn of<T: Packet>(role: Role, reply: ReplyInfo) -> Self {
        let hash = action_hash(role, T::ACTION, T::CODEC, T::SCHEMA, &reply);
        Self {
            action: T::ACTION,
            type_name: T::TYPE,
            codec: T::CODEC,
            schema: T::SCHEMA,
            reply,
            when_full: T::WHEN_FULL,
            hash,
        }
    }

    /// The shape as text: `{x: i32, y: i32} -> {ok: bool}`.
    #[must_use]
    pub const fn shape(&self) -> Shape<'_> {
        Shape(self)
    }
}

/// What answers a packet.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum ReplyInfo {
    /// Nothing.
    None,
    /// That it was handled: `-> ()`.
    Ack,
    /// A packet: `-> B`.
    Packet(PartInfo),
    /// One of two packets: `-> Result<B, E>`.
    Result(PartInfo, PartInfo),
    /// Any number of packets: `-> stream B`, `-> stream Result<B, E>`.
    Stream {
        /// Each of them.
        item: PartInfo,
        /// What may end the stream instead of its mere end.
        error: Option<PartInfo>,
    },
}

impl ReplyInfo {
    /// Whether it is a stream.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }
}

/// A packet that is part of an answer.
#[derive(Clone, Copy, Debug)]
pub struct PartInfo {
    /// The action.
    pub action: &'static str,
    /// The name of the packet's type.
    pub type_name: &'static str,
    /// How the payload is written in native frames.
    pub codec: Codec,
    /// The shape of the payload.
    pub schema: &'static Ty,
}

impl PartInfo {
    /// Describes packet `T`.
    #[must_use]
    pub const fn of<T: Packet>() -> Self {
        Self { action: T::ACTION, type_name: T::TYPE, codec: T::CODEC, schema: T::SCHEMA }
    }
}

/// Text of an action's shape: the packet, then what answers it.
///
/// `{x: i32}`, `{x: i32} -> {ok: bool}`, `{x: i32} -> ()`, `{x: i32} -> {ok: bool} or {why: str}`, `{x: i32} -> stream {n:
/// u8}`; a payload that is JSON text in native frames has `json` after it. The shapes are written as [`schema`](crate::schema) says.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a>(&'a ActionInfo);

impl Display for Shape<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        payload(f, self.0.schema, self.0.codec)?;
        match &self.0.reply {
            ReplyInfo::None => Ok(()),
            ReplyInfo::Ack => f.write_str(" -> ()"),
            ReplyInfo::Packet(reply) => {
                f.write_str(" -> ")?;
                payload(f, reply.schema, reply.codec)
            }
            ReplyInfo::Result(reply, error) => {
                f.write_str(" -> ")?;
                payload(f, reply.schema, reply.codec)?;
                f.write_str(" or ")?;
                payload(f, error.schema, error.codec)
            }
            ReplyInfo::Stream { item, error } => {
                f.write_str(" -> stream ")?;
                payload(f, item.schema, item.codec)?;
                let Some(error) = error else { return Ok(()) };
                f.write_str(" or ")?;
                payload(f, error.schema, error.codec)
            }
        }
    }
}

fn payload(f: &mut Formatter<'_>, schema: &Ty, codec: Codec) -> fmt::Result {
    write!(f, "{schema}")?;
    match codec {
        Codec::Postcard => Ok(()),
        Codec::Json => f.write_str(" json"),
    }
}

/// A side as a value.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// The side that connects.
    Client,
    /// The side that accepts connections.
    Server,
}

/// Whether the JSON dialect uses an action itself, so that no packet can have it.
pub(crate) fn is_reserved(action: &str) -> bool {
    action.starts_with("pnet.") || matches!(action, HANDSHAKE | DISCONNECT)
}

pub(crate) const HANDSHAKE: &str = "handShake";
pub(crate) const DISCONNECT: &str = "disconnect";

/// How much this side tells about its schema when the fingerprints differ.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ShapePolicy {
    /// Which actions differ, and nothing about how they look here.
    #[default]
    Names,
    /// The fields, too: only towards loopback and authenticated peers.
    Shapes,
}

pub(crate) const fn action_hash(role: Role, action: &str, codec: Codec, ty: &Ty, reply: &ReplyInfo) -> u64 {
    let mut hash = schema::mix_bool(schema::start(), matches!(role, Role::Server));
    hash = part_hash(hash, action, codec, ty);
    match reply {
        ReplyInfo::None => schema::mix_text(hash, "one-way"),
        ReplyInfo::Ack => schema::mix_text(hash, "acknowledged"),
        ReplyInfo::Packet(reply) => reply_hash(schema::mix_text(hash, "reply"), reply),
        ReplyInfo::Result(reply, error) => reply_hash(reply_hash(schema::mix_text(hash, "result"), reply), error),
        ReplyInfo::Stream { item, error: None } => reply_hash(schema::mix_text(hash, "stream"), item),
        ReplyInfo::Stream { item, error: Some(error) } => {
            reply_hash(reply_hash(schema::mix_text(hash, "stream-result"), item), error)
        }
    }
}

const fn reply_hash(hash: u64, part: &PartInfo) -> u64 {
    part_hash(hash, part.action, part.codec, part.schema)
}

const fn part_hash(hash: u64, action: &str, codec: Codec, ty: &Ty) -> u64 {
    schema::mix(schema::mix_bool(schema::mix_text(hash, action), matches!(codec, Codec::Json)), ty)
}

pub(crate) const fn fingerprint(client: &Direction, server: &Direction) -> u64 {
    fold(fold(schema::start(), client), server)
}

const fn fold(hash: u64, direction: &Direction) -> u64 {
    let mut hash = schema::mix_u64(hash, direction.actions.len() as u64);
    let mut i = 0;
    while i < direction.actions.len() {
        hash = schema::mix_u64(hash, direction.actions[i].hash);
        i += 1;
    }
    hash
}
