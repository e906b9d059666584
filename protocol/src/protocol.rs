//! Protocols: who sends what, and what answers it. `protocol!` implements these traits.
//!
//! In each of them the packet is `Self` and the protocol (or its phase) the parameter: a packet may then come from any
//! crate, stand in several protocols, and in both directions of one with different replies.

pub use crate::info::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo, Role, Shape};
use crate::{
    credentials::Credentials,
    document,
    info::ShapePolicy,
    packet::{Codec, EncodeError, Packet},
    reply::Reply,
};

/// The side that accepts connections.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum ServerSide {}

/// The side that connects.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum ClientSide {}

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

/// The credentials of protocol `Pr`, which `protocol!` implements for one type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what clients of `{Pr}` show as credentials",
    label = "not the credentials of `{Pr}`",
    note = "`credentials Type;` in the `protocol!` that declares `{Pr}` says what its clients show; without that line, they show nothing",
    note = "where that is an `Option`, show `&Some(…)`"
)]
pub trait CredentialsOf<Pr: Protocol>: Sized {
    /// The same, as the protocol's own type.
    fn as_declared(&self) -> &Pr::Credentials;

    /// The protocol's own type, as the same.
    fn from_declared(credentials: Pr::Credentials) -> Self;
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
    fn encode(_packet: &T, _codec_override: Option<Codec>, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        unreachable!("there is no such packet")
    }
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
    fn encode(_packet: &T, _codec_override: Option<Codec>, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        unreachable!("there is no such packet")
    }
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
    fn encode(_packet: &T, _codec_override: Option<Codec>, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        unreachable!("there is no such packet")
    }
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

impl<T: NotStreamed + Packet, R: Reply> OneWay<T> for Streams<R> {}

impl<T: NotStreamed + Packet, R: Reply> Answered<T> for Streams<R> {
    type Reply = R;
}

impl<T: NotCalled + Packet, R: Reply> Streamed<T> for With<R> {
    type Reply = R;
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
