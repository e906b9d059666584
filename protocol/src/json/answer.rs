//! How an object answers a call.

use std::fmt;

use super::{action, own::failure_of, payload_of};
use crate::{
    connection::Answer,
    failure::code,
    info::{PartInfo, ReplyInfo},
    limits::ACTION_LEN,
    secret::Hidden,
    text::cut,
    utf8,
};

/// How an object answers a call.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum NamedAnswer<'a> {
    /// With the reply packet.
    Reply(&'a [u8]),
    /// With the declared error packet.
    Error(&'a [u8]),
    /// With an item of a stream, which is not the last word.
    Item {
        /// The item.
        payload: &'a [u8],
        /// The length of its object.
        len: u32,
    },
    /// With the end of a stream.
    End,
    /// Not as declared.
    Failure {
        /// For programs.
        code: String,
        /// For people, of unknown origin.
        message: String,
    },
}

impl NamedAnswer<'_> {
    /// The same answer as both dialects have it. An item is a reply here: whoever takes streams looks first.
    pub fn as_answer(&self) -> Answer<'_> {
        match self {
            Self::Reply(payload) | Self::Item { payload, .. } => Answer::Reply(payload),
            Self::End => Answer::End,
            Self::Error(payload) => Answer::Error(payload),
            Self::Failure { code, message } => Answer::Failure { code, message },
        }
    }
}

/// Payloads are shown as their lengths.
impl fmt::Debug for NamedAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item { payload, len } => {
                f.debug_struct("Item").field("payload", &Hidden::of(payload)).field("len", len).finish()
            }
            _ => self.as_answer().fmt(f),
        }
    }
}

/// How an object of `len` bytes answers a call that is answered with `reply`; `None` if it does not.
pub(super) fn answer_of<'a>(
    reply: &ReplyInfo,
    name: &str,
    data: Option<&'a [u8]>,
    len: usize,
) -> Option<NamedAnswer<'a>> {
    let packet = |part: &PartInfo| NamedAnswer::Reply(payload_of(data, part.schema));
    match reply {
        _ if name == action::FAILURE => {
            let (code, message) = failure_of(data.and_then(|data| utf8::text(data).ok()));
            Some(NamedAnswer::Failure { code, message })
        }
        ReplyInfo::Ack if name == action::DONE => Some(NamedAnswer::Reply(b"null")),
        ReplyInfo::Packet(part) | ReplyInfo::Result(part, _) if name == part.action => Some(packet(part)),
        ReplyInfo::Result(_, error) | ReplyInfo::Stream { error: Some(error), .. } if name == error.action => {
            Some(NamedAnswer::Error(payload_of(data, error.schema)))
        }
        ReplyInfo::Stream { item, .. } if name == item.action => Some(NamedAnswer::Item {
            payload: payload_of(data, item.schema),
            len: u32::try_from(len).unwrap_or(u32::MAX),
        }),
        ReplyInfo::Stream { .. } if name == action::END => Some(NamedAnswer::End),
        _ => None,
    }
}

/// What an object is that has the number of a call and does not answer it.
pub(super) fn misnamed(reply: Option<&ReplyInfo>, name: &str) -> NamedAnswer<'static> {
    let declared = match reply {
        Some(ReplyInfo::Packet(part) | ReplyInfo::Result(part, _) | ReplyInfo::Stream { item: part, .. }) => {
            part.action
        }
        Some(ReplyInfo::Ack | ReplyInfo::None) => action::DONE,
        None => "",
    };
    NamedAnswer::Failure {
        code: code::MALFORMED.into(),
        message: format!("the answer has the action {:?}, and not \"{declared}\"", cut(name, ACTION_LEN)),
    }
}
