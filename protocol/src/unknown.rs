//! A stand-in for an answer that could not be understood: any handler may give it, and any method take its packet.
//!
//! Where `protocol!` has reported a mistake, the code it still emits must not cause further errors.

use crate::{
    failure::Failure,
    info::ReplyInfo,
    packet::{Codec, Packet},
    protocol::{Answered, OneWay, Streamed},
    reply::{IntoAnswer, IntoReply, Reply, Verdict},
};

/// What any value answers; never exists.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Unknown {}

impl Reply for Unknown {
    type Ok = Self;
    type Err = Self;

    const INFO: ReplyInfo = ReplyInfo::None;
}

#[diagnostic::do_not_recommend]
impl<T> IntoAnswer<Unknown> for T {
    fn into_reply(self, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        Err(Failure::internal("a protocol with mistakes does not compile"))
    }
}

#[diagnostic::do_not_recommend]
impl<T> IntoReply<Unknown> for T {}

impl<T: Packet> OneWay<T> for Unknown {}

impl<T: Packet> Answered<T> for Unknown {
    type Reply = Self;
}

impl<T: Packet> Streamed<T> for Unknown {
    type Reply = Self;
}
