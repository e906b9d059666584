//! Protocols: who sends what, and what answers it. `protocol!` implements these traits.
//!
//! In each of them the packet is `Self` and the protocol (or its phase) the parameter: a packet may then come from any
//! crate, stand in several protocols, and in both directions of one with different replies.

use std::fmt::{self, Display, Formatter};

use crate::{
    credentials::Credentials,
    handshake::ShapePolicy,
    packet::{Codec, EncodeError, Packet, WhenFull},
    reply::Reply,
    schema::{Ty, document},
    table,
};

/// The side that accepts connections.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum ServerSide {}

/// The side that connects.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum ClientSide {}

/// A side as a value.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// The side that connects.
    Client,
    /// The side that accepts connections.
    Server,
}

mod sealed {
    /// Keeps [`Side`](super::Side) to the two there are.
    #[expect(unnameable_types, reason = "that is its purpose")]
    pub trait Sealed {}

    impl Sealed for super::ServerSide {}
    impl Sealed for super::ClientSide {}

    /// Keeps [`NotStreamed`](super::NotStreamed) and [`NotCalled`](super::NotCalled) without implementations.
    #[expect(unnameable_types, reason = "that is its purpose")]
    pub trait Nobody {}
}

/// Who runs a service, and receives what the other side sends.
pub trait Side: sealed::Sealed + Send + Sync + 'static {
    /// The side at the other end.
    type Other: Side;

    /// The side as a value.
    const ROLE: Role;
}

impl Side for ServerSide {
    type Other = ClientSide;

    const ROLE: Role = Role::Server;
}

impl Side for ClientSide {
    type Other = ServerSide;

    const ROLE: Role = Role::Client;
}

/// A conversation between a client and a server, made by `protocol!`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a protocol",
    label = "not a protocol",
    note = "a protocol is declared by `protocol! {{ pub Name {{ client {{ … }} server {{ … }} }} }}`"
)]
pub trait Protocol: Send + Sync + Sized + 'static {
    /// All that is sent, as the handshake compares it.
    const INFO: &'static ProtocolInfo;

    /// What its clients show to be let in; [`NoCredentials`](crate::credentials::NoCredentials) unless declared.
    type Credentials: Credentials;

    /// The phase in which a connection starts.
    type Start: Phase<Protocol = Self>;

    /// The protocol's schema as JSON, of format 1: every packet with its shape and what answers it. For tools, generators of
    /// code, and peers that know the protocol at run time only; what stands in it says
    /// [`document`].
    #[must_use]
    fn schema() -> String {
        document::write(Self::INFO, ShapePolicy::Shapes)
    }
}

/// What a connection is typed with. A protocol without phases is its own only phase.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a protocol",
    label = "not a protocol",
    note = "a protocol is declared by `protocol! {{ pub Name {{ client {{ … }} server {{ … }} }} }}`"
)]
pub trait Phase: Send + Sync + Sized + 'static {
    /// The protocol the phase belongs to.
    type Protocol: Protocol;

    /// The name, for messages.
    const NAME: &'static str;
}

/// What a client may send in a phase; the packet is `Self`.
#[diagnostic::on_unimplemented(
    message = "in `{Ph}` the client does not send `{Self}`",
    label = "`{Self}` is not something the client may send in `{Ph}`",
    note = "the `client {{ … }}` list of the `protocol!` that declares `{Ph}` says what it may send"
)]
pub trait ClientSends<Ph: Phase> {
    /// The packet's number among what clients send.
    const ID: u16;

    /// [`Silent`], [`With`] its reply, or [`Streams`] of it.
    type Kind;
}

/// What a server may send in a phase; the packet is `Self`.
#[diagnostic::on_unimplemented(
    message = "in `{Ph}` the server does not send `{Self}`",
    label = "`{Self}` is not something the server may send in `{Ph}`",
    note = "the `server {{ … }}` list of the `protocol!` that declares `{Ph}` says what it may send"
)]
pub trait ServerSends<Ph: Phase> {
    /// The packet's number among what servers send.
    const ID: u16;

    /// [`Silent`], [`With`] its reply, or [`Streams`] of it.
    type Kind;
}

/// `Kind` of a packet that is not answered.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Silent {}

/// `Kind` of a packet that is answered with `R`.
#[derive(Debug)]
pub struct With<R>(std::marker::PhantomData<fn() -> R>);

/// `Kind` of a packet that is answered with a stream; `R` is what [`StreamOf`](crate::reply::StreamOf) holds.
#[derive(Debug)]
pub struct Streams<R>(std::marker::PhantomData<fn() -> R>);

/// The [`Kind`](ClientSends::Kind) of packets that `send` takes; `T` is the packet.
#[diagnostic::on_unimplemented(
    message = "`{T}` is answered: use `.call(…)`",
    label = "`send` does not wait for the answer of `{T}`",
    note = "`.send(…)` is for packets that the protocol declares without `->`"
)]
pub trait OneWay<T> {
    /// Appends the packet, in its own codec unless the dialect has one for all. It stands here so that `send` needs no
    /// second bound, which would be a second error where the first is not met.
    ///
    /// # Errors
    ///
    /// See [`Packet::encode`].
    fn encode(packet: &T, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<T: Packet> OneWay<T> for Silent {
    fn encode(packet: &T, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        packet.encode(codec_override.unwrap_or(T::CODEC), out)
    }
}

/// The [`Kind`](ClientSends::Kind) of packets that `call` takes; `T` is the packet.
#[diagnostic::on_unimplemented(
    message = "`{T}` has no reply for `call` to wait for: use `.send(…)`",
    label = "nothing answers `{T}`",
    note = "`.call(…)` is for packets that the protocol declares with a reply: `{T} -> Answer`"
)]
pub trait Answered<T> {
    /// What the protocol declares after `->`.
    type Reply: Reply;

    /// As [`OneWay::encode`].
    ///
    /// # Errors
    ///
    /// See [`Packet::encode`].
    fn encode(packet: &T, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<T: Packet, R: Reply> Answered<T> for With<R> {
    type Reply = R;

    fn encode(packet: &T, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        packet.encode(codec_override.unwrap_or(T::CODEC), out)
    }
}

/// The [`Kind`](ClientSends::Kind) of packets that `stream` takes; `T` is the packet.
#[diagnostic::on_unimplemented(
    message = "`{T}` has no reply, so `stream` would have nothing to read: use `.send(…)`",
    label = "nothing answers `{T}`",
    note = "`.stream(…)` is for packets that the protocol declares with a stream: `{T} -> stream Item`"
)]
pub trait Streamed<T> {
    /// What the protocol declares after `-> stream`.
    type Reply: Reply;

    /// As [`OneWay::encode`].
    ///
    /// # Errors
    ///
    /// See [`Packet::encode`].
    fn encode(packet: &T, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<T: Packet, R: Reply> Streamed<T> for Streams<R> {
    type Reply = R;

    fn encode(packet: &T, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        packet.encode(codec_override.unwrap_or(T::CODEC), out)
    }
}

/// Nobody implements this. The methods for other packets ask for it, so that a packet that is answered with a stream gets
/// words of its own there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is answered with a stream: use `.stream(…)`",
    label = "a stream answers `{Self}`",
    note = "`.send(…)` is for packets that the protocol declares without `->`, `.call(…)` for those that are answered once"
)]
pub trait NotStreamed: sealed::Nobody {}

/// Nobody implements this, see [`NotStreamed`]; `stream` asks for it where a packet is answered once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is answered once, not with a stream: use `.call(…)`",
    label = "no stream answers `{Self}`",
    note = "`.stream(…)` is for packets that the protocol declares with a stream: `{Self} -> stream Item`"
)]
pub trait NotCalled: sealed::Nobody {}

impl<T: NotStreamed + Packet, R: Reply> OneWay<T> for Streams<R> {
    fn encode(_: &T, _: Option<Codec>, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        unreachable!("there is no such packet")
    }
}

impl<T: NotStreamed + Packet, R: Reply> Answered<T> for Streams<R> {
    type Reply = R;

    fn encode(_: &T, _: Option<Codec>, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        unreachable!("there is no such packet")
    }
}

impl<T: NotCalled + Packet, R: Reply> Streamed<T> for With<R> {
    type Reply = R;

    fn encode(_: &T, _: Option<Codec>, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        unreachable!("there is no such packet")
    }
}

/// What arrives at servers of a protocol; the packet is `Self`.
#[diagnostic::on_unimplemented(
    message = "clients of protocol `{Pr}` never send `{Self}`",
    label = "`{Self}` never arrives at a server of `{Pr}`",
    note = "only packets in the `client {{ … }}` list of `{Pr}` can have a handler in a server"
)]
pub trait FromClient<Pr: Protocol>: Packet {
    /// The packet's number among what clients send.
    const ID: u16;

    /// What the server answers.
    type Reply: Reply;
}

/// What arrives at clients of a protocol; the packet is `Self`.
#[diagnostic::on_unimplemented(
    message = "servers of protocol `{Pr}` never send `{Self}`",
    label = "`{Self}` never arrives at a client of `{Pr}`",
    note = "only packets in the `server {{ … }}` list of `{Pr}` can have a handler in a client"
)]
pub trait FromServer<Pr: Protocol>: Packet {
    /// The packet's number among what servers send.
    const ID: u16;

    /// What the client answers.
    type Reply: Reply;
}

/// What arrives at side `Si` of a protocol: [`FromClient`] or [`FromServer`].
pub trait Incoming<Pr: Protocol, Si: Side> {
    /// The packet's number among what the other side sends.
    const ID: u16;

    /// What this side answers.
    type Reply: Reply;
}

impl<Pr: Protocol, T: FromClient<Pr>> Incoming<Pr, ServerSide> for T {
    const ID: u16 = T::ID;

    type Reply = T::Reply;
}

impl<Pr: Protocol, T: FromServer<Pr>> Incoming<Pr, ClientSide> for T {
    const ID: u16 = T::ID;

    type Reply = T::Reply;
}

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
        let fingerprint = table::fingerprint(&client, &server);
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
        let hash = table::action_hash(role, T::ACTION, T::CODEC, T::SCHEMA, &reply);
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
