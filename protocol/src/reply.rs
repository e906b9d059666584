//! What answers a packet: as declared ([`Reply`]) and as handlers return it ([`IntoAnswer`]).
//!
//! A protocol declares `A -> B`, `A -> ()`, `A -> Result<B, E>`, `A -> stream B`, `A -> stream Result<B, E>`, or nothing. A
//! handler may return what was declared, or a `Result` around it whose error becomes a [`Failure`]. That of a stream returns
//! how the stream ends: `()`, or the declared error.

use std::{convert::Infallible, marker::PhantomData};

use crate::{
    failure::Failure,
    info::{PartInfo, ReplyInfo},
    packet::{Codec, DecodeError, EncodeError, OwnedPacket},
    view::View,
};

/// What the bytes of an answer are.
// As large as the `Failure` that stands in its place, so that a `Result` of the two comes back in registers: bytes beside a
// small tag are moved in pieces, and a processor waits for such pieces to be put together again.
#[repr(usize)]
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// There is no answer: the packet was one-way.
    Nothing,
    /// The declared reply, which has no bytes where `()` was declared.
    Reply,
    /// The declared error packet.
    Error,
    /// The end of a stream, which went as declared.
    End,
}

/// The reply of a packet that is not answered.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum NoReply {}

/// What a protocol may declare as the answer of a packet: another packet, `()`, `Result<Packet, Packet>`, or a stream.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer a packet",
    label = "neither a packet without lifetime, nor `()`, nor `Result<Packet, Packet>`, nor a stream",
    note = "put `#[derive(Packet, Serialize, Deserialize)]` on the type of the answer",
    note = "a view, with `#[packet(view_of = …)]`, is only for handlers to answer with: name the packet it shows"
)]
pub trait Reply: 'static {
    /// What the caller gets if all went well.
    type Ok: Send + 'static;

    /// The declared error; [`Infallible`] if none was declared.
    type Err: Send + 'static;

    /// The answer as the handshake describes it.
    const INFO: ReplyInfo;

    /// Reads the reply. `json` overrides the packet's own codec: `Some(Codec::Json)` in the JSON dialect, else `None`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the payload is not what was declared.
    fn decode_ok(_codec_override: Option<Codec>, payload: &[u8]) -> Result<Self::Ok, DecodeError> {
        Err(DecodeError::Unexpected { len: payload.len() })
    }

    /// Reads the declared error.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the payload is not what was declared, or no error was declared at all.
    fn decode_err(_codec_override: Option<Codec>, payload: &[u8]) -> Result<Self::Err, DecodeError> {
        Err(DecodeError::Unexpected { len: payload.len() })
    }
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket> Reply for B {
    type Ok = B;
    type Err = Infallible;

    const INFO: ReplyInfo = ReplyInfo::Packet(PartInfo::of::<B>());

    #[inline]
    fn decode_ok(codec_override: Option<Codec>, payload: &[u8]) -> Result<B, DecodeError> {
        B::decode_owned(codec_override.unwrap_or(B::CODEC), payload)
    }
}

impl Reply for () {
    type Ok = ();
    type Err = Infallible;

    const INFO: ReplyInfo = ReplyInfo::Ack;

    fn decode_ok(codec_override: Option<Codec>, payload: &[u8]) -> Result<(), DecodeError> {
        // The JSON dialect always has some data, whatever it is.
        if payload.is_empty() || codec_override.is_some() {
            Ok(())
        } else {
            Err(DecodeError::Unexpected { len: payload.len() })
        }
    }
}

impl Reply for NoReply {
    type Ok = ();
    type Err = Infallible;

    const INFO: ReplyInfo = ReplyInfo::None;
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket> Reply for Result<B, E> {
    type Ok = B;
    type Err = E;

    const INFO: ReplyInfo = ReplyInfo::Result(PartInfo::of::<B>(), PartInfo::of::<E>());

    #[inline]
    fn decode_ok(codec_override: Option<Codec>, payload: &[u8]) -> Result<B, DecodeError> {
        B::decode_owned(codec_override.unwrap_or(B::CODEC), payload)
    }

    fn decode_err(codec_override: Option<Codec>, payload: &[u8]) -> Result<E, DecodeError> {
        E::decode_owned(codec_override.unwrap_or(E::CODEC), payload)
    }
}

/// The reply of a packet that is answered with a stream: `-> stream B` is `StreamOf<B>`, `-> stream Result<B, E>` is
/// `StreamOf<Result<B, E>>`. What is read are its items, and the declared error that may end it.
#[derive(Debug)]
pub struct StreamOf<R>(PhantomData<fn() -> R>);

/// What a stream may be made of: a packet, or `Result<Packet, Packet>`, where the error ends it.
pub trait Streamable: Reply {
    /// The stream as the handshake describes it.
    const STREAM: ReplyInfo;
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket> Streamable for B {
    const STREAM: ReplyInfo = ReplyInfo::Stream { item: PartInfo::of::<B>(), error: None };
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket> Streamable for Result<B, E> {
    const STREAM: ReplyInfo = ReplyInfo::Stream { item: PartInfo::of::<B>(), error: Some(PartInfo::of::<E>()) };
}

impl<R: Streamable> Reply for StreamOf<R> {
    type Ok = R::Ok;
    type Err = R::Err;

    const INFO: ReplyInfo = R::STREAM;

    fn decode_ok(codec_override: Option<Codec>, payload: &[u8]) -> Result<R::Ok, DecodeError> {
        R::decode_ok(codec_override, payload)
    }

    fn decode_err(codec_override: Option<Codec>, payload: &[u8]) -> Result<R::Err, DecodeError> {
        R::decode_err(codec_override, payload)
    }
}

/// What a handler may return for a packet that is answered with `R`: `R` itself, or `Result<R, X>` where `X` becomes a
/// [`Failure`]; for `Result<B, E>` also `Result<B, Failure>`; for packets without an answer `()` or `Result<(), X>`; for
/// streams the same, which ends them, and for `StreamOf<Result<B, E>>` also `Result<(), E>`. Where a packet stands, a
/// [`View`] of it may stand, too.
#[diagnostic::on_unimplemented(
    message = "this handler returns `{Self}`, but its packet is answered with `{R}`",
    label = "the handler does not return `{R}`",
    note = "return what the protocol declares, or a `Result` of it with an error that becomes a `Failure`; for a packet without a reply (`NoReply`) return nothing",
    note = "the handler of a stream (`StreamOf`) sends the items with its `StreamSender`, and returns nothing or `Result<(), X>`; if the protocol declares an error `E` for it, `Result<(), E>`, `Result<(), Failure>`, or `Result<Result<(), E>, X>`"
)]
pub trait IntoAnswer<R: Reply> {
    /// Appends the answer's payload to `out` and says what it is. The codec is the packet's own unless overridden.
    ///
    /// # Errors
    ///
    /// The handler's failure, or an internal one if the answer could not be encoded; `out` is then as it was.
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure>;
}

fn encoded(encoded: Result<(), EncodeError>, verdict: Verdict) -> Result<Verdict, Failure> {
    encoded?;
    Ok(verdict)
}

impl IntoAnswer<NoReply> for () {
    fn into_reply(self, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        Ok(Verdict::Nothing)
    }
}

#[diagnostic::do_not_recommend]
impl<X: Into<Failure>> IntoAnswer<NoReply> for Result<(), X> {
    fn into_reply(self, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        self.map(|()| Verdict::Nothing).map_err(Into::into)
    }
}

impl IntoAnswer<()> for () {
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        if codec_override == Some(Codec::Json) {
            out.extend_from_slice(b"null");
        }
        Ok(Verdict::Reply)
    }
}

#[diagnostic::do_not_recommend]
impl<X: Into<Failure>> IntoAnswer<()> for Result<(), X> {
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        self.map_err(Into::into)?;
        IntoAnswer::<()>::into_reply((), codec_override, out)
    }
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, V: View<Of = B>> IntoAnswer<B> for V {
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        encoded(V::ENCODE(&self, codec_override.unwrap_or(B::CODEC), out), Verdict::Reply)
    }
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, V: View<Of = B>, X: Into<Failure>> IntoAnswer<B> for Result<V, X> {
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        IntoAnswer::<B>::into_reply(self.map_err(Into::into)?, codec_override, out)
    }
}

#[diagnostic::do_not_recommend]
impl<B, E, V, W> IntoAnswer<Result<B, E>> for Result<V, W>
where
    B: OwnedPacket,
    E: OwnedPacket,
    V: View<Of = B>,
    W: View<Of = E>,
{
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        match self {
            Ok(reply) => IntoAnswer::<B>::into_reply(reply, codec_override, out),
            Err(error) => encoded(W::ENCODE(&error, codec_override.unwrap_or(E::CODEC), out), Verdict::Error),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket, V: View<Of = B>> IntoAnswer<Result<B, E>> for Result<V, Failure> {
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        IntoAnswer::<B>::into_reply(self?, codec_override, out)
    }
}

#[diagnostic::do_not_recommend]
impl<B, E, V, W, X> IntoAnswer<Result<B, E>> for Result<Result<V, W>, X>
where
    B: OwnedPacket,
    E: OwnedPacket,
    V: View<Of = B>,
    W: View<Of = E>,
    X: Into<Failure>,
{
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        IntoAnswer::<Result<B, E>>::into_reply(self.map_err(Into::into)?, codec_override, out)
    }
}

impl<R: Streamable> IntoAnswer<StreamOf<R>> for () {
    fn into_reply(self, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        Ok(Verdict::End)
    }
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, X: Into<Failure>> IntoAnswer<StreamOf<B>> for Result<(), X> {
    fn into_reply(self, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        self.map(|()| Verdict::End).map_err(Into::into)
    }
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket, W: View<Of = E>> IntoAnswer<StreamOf<Result<B, E>>> for Result<(), W> {
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        let Err(error) = self else { return Ok(Verdict::End) };
        encoded(W::ENCODE(&error, codec_override.unwrap_or(E::CODEC), out), Verdict::Error)
    }
}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket> IntoAnswer<StreamOf<Result<B, E>>> for Result<(), Failure> {
    fn into_reply(self, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        self.map(|()| Verdict::End)
    }
}

#[diagnostic::do_not_recommend]
impl<B, E, W, X> IntoAnswer<StreamOf<Result<B, E>>> for Result<Result<(), W>, X>
where
    B: OwnedPacket,
    E: OwnedPacket,
    W: View<Of = E>,
    X: Into<Failure>,
{
    fn into_reply(self, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure> {
        IntoAnswer::<StreamOf<Result<B, E>>>::into_reply(self.map_err(Into::into)?, codec_override, out)
    }
}

/// What `pnet::Responder` takes: as [`IntoAnswer`], without views. So each answer is of one type, and the compiler can tell that of
/// `reply(Err(Denied))`.
#[diagnostic::on_unimplemented(
    message = "this handler returns `{Self}`, but its packet is answered with `{R}`",
    label = "the handler does not return `{R}`",
    note = "return what the protocol declares, or a `Result` of it with an error that becomes a `Failure`; for a packet without a reply (`NoReply`) return nothing",
    note = "the handler of a stream (`StreamOf`) sends the items with its `StreamSender`, and returns nothing or `Result<(), X>`; if the protocol declares an error `E` for it, `Result<(), E>`, `Result<(), Failure>`, or `Result<Result<(), E>, X>`"
)]
pub trait IntoReply<R: Reply>: IntoAnswer<R> {}

impl IntoReply<NoReply> for () {}

#[diagnostic::do_not_recommend]
impl<X: Into<Failure>> IntoReply<NoReply> for Result<(), X> {}

impl IntoReply<()> for () {}

#[diagnostic::do_not_recommend]
impl<X: Into<Failure>> IntoReply<()> for Result<(), X> {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket> IntoReply<B> for B {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, X: Into<Failure>> IntoReply<B> for Result<B, X> {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket> IntoReply<Self> for Result<B, E> {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket> IntoReply<Result<B, E>> for Result<B, Failure> {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket, X: Into<Failure>> IntoReply<Result<B, E>> for Result<Result<B, E>, X> {}

impl<R: Streamable> IntoReply<StreamOf<R>> for () {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, X: Into<Failure>> IntoReply<StreamOf<B>> for Result<(), X> {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket> IntoReply<StreamOf<Result<B, E>>> for Result<(), E> {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket> IntoReply<StreamOf<Result<B, E>>> for Result<(), Failure> {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket, E: OwnedPacket, X: Into<Failure>> IntoReply<StreamOf<Result<B, E>>> for Result<Result<(), E>, X> {}
