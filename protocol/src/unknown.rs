//! A stand-in for a packet that could not be found: whatever is asked of it holds.
//!
//! Where a macro has reported that a handler has no packet, the code it still emits must not cause further errors.

use crate::{
    failure::Failure,
    packet::{Codec, DecodeError, EncodeError, Packet},
    protocol::{FromClient, FromServer, Protocol, ReplyInfo},
    reply::{IntoReply, Reply, Verdict},
    schema::{Schema, Ty},
};

/// Arrives in every protocol and is answered with anything; never exists.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Unknown {}

impl Schema for Unknown {
    const SCHEMA: &'static Ty = &Ty::Opaque("");
}

impl Packet for Unknown {
    const ACTION: &'static str = "";
    const TYPE: &'static str = "";
    const CODEC: Codec = Codec::Json;

    type At<'de> = Self;

    fn encode(&self, _: Codec, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *self {}
    }

    fn decode(_: Codec, payload: &[u8]) -> Result<Self, DecodeError> {
        Err(DecodeError::Unexpected { len: payload.len() })
    }
}

impl<Pr: Protocol> FromClient<Pr> for Unknown {
    const ID: u16 = u16::MAX;

    type Reply = Self;
}

impl<Pr: Protocol> FromServer<Pr> for Unknown {
    const ID: u16 = u16::MAX;

    type Reply = Self;
}

impl Reply for Unknown {
    type Ok = Self;
    type Err = Self;

    const INFO: ReplyInfo = ReplyInfo::None;

    fn decode_ok(_: Option<Codec>, payload: &[u8]) -> Result<Self, DecodeError> {
        Err(DecodeError::Unexpected { len: payload.len() })
    }

    fn decode_err(_: Option<Codec>, payload: &[u8]) -> Result<Self, DecodeError> {
        Err(DecodeError::Unexpected { len: payload.len() })
    }
}

#[diagnostic::do_not_recommend]
impl<T> IntoReply<Unknown> for T {
    fn into_reply(self, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        Err(Failure::internal("a handler without packet does not compile"))
    }
}
