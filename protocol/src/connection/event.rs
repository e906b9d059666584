//! What arrives in the open state, whatever the bytes look like.

use std::borrow::Cow;

use super::ReplyTo;
use crate::{
    close::{CloseCode, Retry},
    info::ShapePolicy,
    limits::Limits,
};

/// What a frame or an object means in the open state.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// What comes again and again.
    Usual(Usual<'a>),
    /// A call above the limit: answer it with the failure `busy`. It is not counted as open.
    Busy {
        /// Where the failure goes.
        to: ReplyTo,
        /// Whether it would have opened a stream: those have a limit of their own.
        stream: bool,
    },
    /// An object that is no packet of this protocol. Answer it with the failure; later objects are unaffected.
    Refused {
        /// Where the failure goes.
        to: ReplyTo,
        /// For programs.
        code: &'static str,
        /// For people.
        message: Cow<'static, str>,
    },
    /// The other side asks for the schema of this side's protocol:
    /// [`Writer::schema`](crate::wire::Writer::schema). It is no call, and not counted as open.
    SchemaAsked {
        /// Where the schema goes.
        to: ReplyTo,
        /// How much of it the other side may learn.
        shapes: ShapePolicy,
    },
    /// An object that may answer a call of this side:
    /// [`Writer::answered`](crate::wire::Writer::answered) tells.
    Named(Named<'a>),
    /// A client has said `handShake`, and is owed one if it had none yet: [`Reader::greet`](crate::wire::Reader::greet).
    Greeted {
        /// What it takes, if it says so.
        limits: Option<Limits>,
    },
    /// A server has said `handShake` after the connection was opened without:
    /// [`Writer::welcomed`](crate::wire::Writer::welcomed).
    Welcomed(WelcomeText<'a>),
    /// The answer to a call of this side, which may not know the id any more.
    Answer {
        /// This side's id for the call.
        id: u32,
        /// The answer.
        answer: Answer<'a>,
    },
    /// An item of a stream that this side has opened: how it ends is an [`Answer`](Event::Answer).
    Item {
        /// This side's id for the call.
        id: u32,
        /// The item, still encoded.
        payload: &'a [u8],
        /// What it occupies of the stream's window.
        len: u32,
    },
    /// The caller does not want the answer to a call that is open here. It is still owed: `cancelled`, unless the call
    /// finishes all the same.
    Cancel {
        /// What it is called here.
        id: u32,
    },
    /// More one-way packets may be sent: [`Writer::handle_credit`](crate::wire::Writer::handle_credit).
    Credit {
        /// How many more packets.
        packets: u32,
        /// How many more bytes.
        bytes: u32,
    },
    /// More items of a stream may be sent, which may be at its end by now.
    StreamCredit {
        /// What the call is called here that opened it.
        id: u32,
        /// How many more items.
        items: u32,
        /// How many more bytes.
        bytes: u32,
    },
    /// To be answered with a PONG frame.
    Ping {
        /// To be given back; in frames there is always one.
        nonce: Option<u64>,
    },
    /// The answer to a ping.
    Pong {
        /// The ping's.
        nonce: u64,
    },
    /// The other side ends the connection; nothing may come after it.
    Close {
        /// Why.
        code: CloseCode,
        /// Whether to come back.
        retry: Retry,
        /// For people, of unknown origin.
        reason: Cow<'a, str>,
    },
    /// Nothing to do.
    Ignored,
}

/// How a call was answered.
#[derive(Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub enum Answer<'a> {
    /// With the reply packet; empty for a mere acknowledgement.
    Reply(&'a [u8]),
    /// With the declared error packet.
    Error(&'a [u8]),
    /// That a stream is at its end.
    End,
    /// Not as declared.
    Failure {
        /// For programs.
        code: &'a str,
        /// For people, of unknown origin.
        message: &'a str,
    },
}

/// What comes again and again, in either dialect: [`Reader::usual`](crate::wire::Reader::usual) takes it in one look.
#[derive(Clone, Copy, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever reads has a way for each")]
pub enum Usual<'a> {
    /// When what follows in the same batch was written.
    Time {
        /// Microseconds since the Unix epoch.
        micros: i64,
    },
    /// A one-way packet.
    Packet(Packet<'a>),
    /// A call.
    Call(Call<'a>),
    /// The reply to a call of this side, which may not know the id any more.
    Reply {
        /// This side's id for the call.
        id: u32,
        /// The reply, still encoded.
        payload: &'a [u8],
    },
    /// An object that answers a call of this side:
    /// [`Writer::answered`](crate::wire::Writer::answered) tells how.
    Object {
        /// This side's id for the call; 0 is no call's.
        re: u32,
        /// Its action.
        action: &'a str,
        /// Its data, as bytes that are UTF-8.
        data: &'a [u8],
        /// Its length in bytes.
        len: usize,
    },
}

/// The same as the general way says it.
impl<'a> From<Usual<'a>> for Event<'a> {
    fn from(usual: Usual<'a>) -> Self {
        match usual {
            Usual::Reply { id, payload } => Self::Answer { id, answer: Answer::Reply(payload) },
            Usual::Object { re, action, data, len } => Self::Named(Named::answer(re, action, data, len)),
            usual => Self::Usual(usual),
        }
    }
}

/// A call; [`Reader::call_finished`](crate::wire::Reader::call_finished) when its answer is written.
#[derive(Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub struct Call<'a> {
    /// What it is called here: in frames the caller's id for it.
    pub id: u32,
    /// Its numeric action, which may be out of range.
    pub action: u16,
    /// How long the caller waits, in milliseconds; 0 if without limit.
    pub timeout_ms: u32,
    /// The packet, still encoded. Where its answer goes says [`Reader::to`](crate::wire::Reader::to).
    pub payload: &'a [u8],
}

/// A one-way packet; [`Reader::packet_finished`](crate::wire::Reader::packet_finished) when it is handled.
#[derive(Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub struct Packet<'a> {
    /// Its numeric action, which may be out of range.
    pub action: u16,
    /// The packet, still encoded.
    pub payload: &'a [u8],
    /// What it occupies of the window, for [`Reader::packet_finished`](crate::wire::Reader::packet_finished).
    pub frame_len: u32,
}

/// What the other side has sent that is not finished here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct InFlight {
    /// Calls that are open here, streams included.
    pub calls: u32,
    /// One-way packets.
    pub packets: u32,
    /// The limits that keep the other side from sending more now: a sum of the constants of this type.
    pub full: u8,
}

impl InFlight {
    /// In [`full`](Self::full): [`Limits::calls`].
    pub const CALLS: u8 = 1;
    /// In [`full`](Self::full): [`Limits::streams`].
    pub const STREAMS: u8 = 2;
    /// In [`full`](Self::full): [`Limits::packets`].
    pub const PACKETS: u8 = 4;
    /// In [`full`](Self::full): [`Limits::packet_bytes`].
    pub const PACKET_BYTES: u8 = 8;

    /// None of it, as most often.
    pub(crate) const NOTHING: Self = Self { calls: 0, packets: 0, full: 0 };

    /// `streams` of the `calls`, and what is left of the window for packets.
    pub(crate) const fn new((calls, streams): (u32, u32), packets: u32, left: (bool, bool), limits: &Limits) -> Self {
        let full = if calls.saturating_sub(streams) >= limits.calls { Self::CALLS } else { 0 }
            | if streams >= limits.streams { Self::STREAMS } else { 0 }
            | if left.0 { 0 } else { Self::PACKETS }
            | if left.1 { 0 } else { Self::PACKET_BYTES };
        Self { calls, packets, full }
    }
}

/// An object that may be the answer to a call: [`Writer::answered`](crate::wire::Writer::answered) tells. If it is
/// none, and has no `re`, it is a packet like any other: [`Reader::packet`](crate::wire::Reader::packet).
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Named<'a> {
    /// The id of the call, if the object says which; 0 is no call's.
    pub re: Option<u32>,
    /// Its action.
    pub action: Cow<'a, str>,
    /// Its data, as [`Envelope::data`](crate::json::Envelope::data), as bytes that are UTF-8.
    pub data: Option<&'a [u8]>,
    /// Its length in bytes.
    pub len: usize,
}

impl<'a> Named<'a> {
    /// One that says which call it answers.
    pub const fn answer(re: u32, action: &'a str, data: &'a [u8], len: usize) -> Self {
        Self { re: Some(re), action: Cow::Borrowed(action), data: Some(data), len }
    }
}

/// The data of a server's `handShake`, for [`JsonWelcome::read`](crate::json::JsonWelcome::read). It holds a secret, and is not shown.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct WelcomeText<'a>(pub(crate) Option<&'a str>);
