//! What is received.

use std::{fmt, sync::Arc};

use pnet_protocol::{
    dynamic::{self, DecodeFault},
    failure::Failure,
    json::{DONE, END},
    protocol::{ActionInfo, PartInfo, ReplyInfo, Role},
    reply::Verdict,
};
use serde_json::Value;

use super::action::Action;
use crate::{
    buffers,
    calls::{
        json::Json,
        stream::{SendingItem, item_json},
    },
    connection::Conn,
    driver::dispatch::JobKind,
    error::JsonError,
    inbox::{Asked, Items, Reads},
};

/// What arrives on a connection whose protocol is known at run time, in order.
///
/// What waits here is bounded by the client's [`Limits`](crate::Limits): a server that sends more packets than are read is
/// closed. A program that does not care drops the inbox; the server is told of calls that nobody reads.
pub struct Inbox {
    items: Items,
}

/// A packet that has arrived.
#[non_exhaustive]
#[derive(Debug)]
pub struct Received {
    /// The packet.
    pub packet: Json,
    /// Answers it, if it is a call.
    pub call: Option<Responder>,
}

impl Inbox {
    pub(super) const fn new(items: Items) -> Self {
        Self { items }
    }

    /// Waits for the next packet; `None` when the connection is gone and everything was read.
    ///
    /// # Cancel safety
    ///
    /// No packet is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<Received> {
        let item = self.items.next().await?;
        let info = item.conn.info.received_by(Role::Client).get(item.job.action)?;
        // The driver has tried it already.
        let data = decode(&item.conn, info, &item.payload).ok()?;
        let call = match item.job.kind {
            JobKind::Call { .. } => Some(Responder { asked: Asked::new(&item.conn, &item.job), info }),
            _ => None,
        };
        Some(Received { packet: Json::new(info.action, data), call })
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// A call that has arrived: answers it. Dropped without an answer, it answers with a failure.
pub struct Responder {
    asked: Asked,
    info: &'static ActionInfo,
}

impl Responder {
    /// What is to be answered.
    #[must_use]
    pub const fn action(&self) -> Action {
        Action::new(self.info)
    }

    /// Answers the call: with the reply packet that the protocol declares, with the declared error, with `pnet.done` to `-> ()`,
    /// and with `pnet.end` where a stream comes to its end. A call that was answered before stays so.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if the protocol does not declare such an answer, or its data does not fit. Nothing is sent then, and the
    /// call can still be answered.
    pub fn reply_json(&mut self, answer: &Json) -> Result<(), JsonError> {
        let (verdict, part) = self.part_of(answer)?;
        let mut payload = buffers::take();
        if let Some(part) = part {
            self.encode(part, answer, &mut payload)?;
        } else if verdict == Verdict::Reply {
            payload.extend_from_slice(b"null");
        }
        self.asked.answer(&Ok(verdict), &payload);
        buffers::give(payload);
        Ok(())
    }

    /// Answers the call with a failure, whatever it is.
    pub fn fail(&mut self, failure: Failure) {
        self.asked.answer(&Err(failure), &[]);
    }

    /// Sends an item of the stream that the call has opened, as soon as the server has given credit and the connection has room.
    ///
    /// # Errors
    ///
    /// [`SendError::Json`](crate::SendError::Json) if the call opens no stream, or the item does not fit; else as
    /// [`StreamSender::send`](crate::StreamSender::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the item is not sent.
    pub fn send_json(&self, item: &Json) -> SendingItem {
        let mut payload = buffers::take();
        let encoded = match &self.info.reply {
            ReplyInfo::Stream { item: part, .. } if item.action() == part.action => {
                self.encode(part, item, &mut payload).map(|()| payload)
            }
            _ => Err(self.not_an_answer(item)),
        };
        let place = self.asked.due().and_then(|(conn, stream)| Some((Arc::clone(conn), stream?)));
        item_json(place, encoded)
    }

    /// How this answers, and in which shape.
    fn part_of(&self, answer: &Json) -> Result<(Verdict, Option<&'static PartInfo>), JsonError> {
        let is = |part: &PartInfo| part.action == answer.action();
        Ok(match &self.info.reply {
            ReplyInfo::Ack if answer.action() == DONE => (Verdict::Reply, None),
            ReplyInfo::Packet(part) | ReplyInfo::Result(part, _) if is(part) => (Verdict::Reply, Some(part)),
            ReplyInfo::Result(_, part) | ReplyInfo::Stream { error: Some(part), .. } if is(part) => {
                (Verdict::Error, Some(part))
            }
            ReplyInfo::Stream { .. } if answer.action() == END => (Verdict::End, None),
            _ => return Err(self.not_an_answer(answer)),
        })
    }

    fn not_an_answer(&self, answer: &Json) -> JsonError {
        JsonError::NotAnAnswer { action: self.info.action, answer: answer.action().to_owned() }
    }

    fn encode(&self, part: &PartInfo, answer: &Json, payload: &mut Vec<u8>) -> Result<(), JsonError> {
        let codec_override = self.asked.due().and_then(|(conn, _)| conn.dialect.codec_override());
        dynamic::encode(answer.data(), part.schema, codec_override.unwrap_or(part.codec), payload)
            .map_err(|source| JsonError::Misfit { action: part.action, source })
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("action", &self.info.action).finish_non_exhaustive()
    }
}

/// Reads packets by their shapes.
pub(super) struct Untyped;

impl Reads for Untyped {
    fn read(conn: &Conn, action: u16, payload: &[u8]) -> Result<(), Failure> {
        let Some(info) = conn.info.received_by(Role::Client).get(action) else { return Ok(()) };
        decode(conn, info, payload)
            .map(drop)
            .map_err(|source| Failure::malformed(&Malformed { action: info.action, source }))
    }
}

fn decode(conn: &Conn, info: &ActionInfo, payload: &[u8]) -> Result<Value, DecodeFault> {
    dynamic::decode(payload, info.schema, conn.dialect.codec_override().unwrap_or(info.codec))
}

#[derive(Debug, thiserror::Error)]
#[error("malformed payload for action `{action}`")]
struct Malformed {
    action: &'static str,
    source: DecodeFault,
}
