//! What is sent, whatever the bytes look like.

use std::time::Instant;

use crate::{
    close::Close,
    connection::{Answer, Credit, Named, ReplyTo, SendRefused, Violation, Window},
    dialect::Dialect,
    frame::{self, Frame, REPLY_OVERHEAD, StreamEnd},
    info::ActionInfo,
    json::{self, CallText, Form, JsonWelcome, JsonWriter, Replies},
    limits::{Limits, UNCREDITED_PACKETS},
    native::Outbound,
};

/// The sending half of a connection.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever makes a connection makes one of them")]
pub enum Writer {
    /// Frames.
    Native(Outbound),
    /// Objects.
    Json(Box<JsonWriter>),
}

impl Writer {
    /// For frames, to a side that told `peer`.
    pub const fn native(peer: &Limits) -> Self {
        Self::Native(Outbound::new(peer))
    }

    /// Which dialect it writes.
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Native(_) => Dialect::Native,
            Self::Json(_) => Dialect::Json,
        }
    }

    /// Whether packets that nobody asked for may be sent at all.
    pub const fn can_push(&self) -> bool {
        let Self::Json(writer) = self else { return true };
        writer.can_push()
    }

    /// Whether a one-way packet may go now, if it is not too long.
    pub const fn can_send_packet(&self) -> bool {
        match self {
            Self::Native(outbound) => outbound.can_send_packet(),
            Self::Json(writer) => writer.can_send_packet(),
        }
    }

    /// Whether a call may go now without being answered `busy`.
    pub fn can_call(&self) -> bool {
        match self {
            Self::Native(outbound) => outbound.can_call(),
            Self::Json(writer) => writer.can_call(),
        }
    }

    /// How many streams this side may have open at the other.
    pub const fn max_streams(&self) -> u32 {
        match self {
            Self::Native(outbound) => outbound.max_streams(),
            Self::Json(writer) => writer.max_streams(),
        }
    }

    /// The first credit of a stream that the other side opens here. `None`: it takes what comes.
    pub const fn stream_credit(&self) -> Option<Credit> {
        match self {
            Self::Native(outbound) => Some(outbound.stream_credit()),
            Self::Json(writer) => writer.stream_credit(),
        }
    }

    /// What may come of a stream that this side opens, and was told `local`: more, if the other side has no credit to go by.
    pub const fn stream_window(&self, local: &Limits) -> Window {
        match self {
            Self::Json(writer) if !writer.gives_credit() => {
                let (frame, packets) = (local.max_frame_len, local.packet_bytes);
                let bytes = if frame > packets { frame } else { packets };
                Window::new(local.stream_items.saturating_mul(UNCREDITED_PACKETS), bytes)
            }
            _ => Window::new(local.stream_items, local.packet_bytes),
        }
    }

    /// Compares a one-way packet that [`packet_frame`] made with what the other side takes.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`].
    #[inline]
    pub fn check_packet(&self, frame: &[u8]) -> Result<(), SendRefused> {
        match self {
            Self::Native(outbound) => outbound.check_frame(frame.len()),
            Self::Json(writer) => writer.check_len(frame.len()),
        }
    }

    /// Compares a call with this payload with the longest frame or object the other side takes.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`].
    #[inline]
    pub fn check_call(&self, action: &ActionInfo, len: usize) -> Result<(), SendRefused> {
        match self {
            Self::Native(outbound) => outbound.check_len(len),
            Self::Json(writer) => writer.check_len(len.saturating_add(json::head_len(action.action))),
        }
    }

    /// Sets the time of what follows in the same batch: `micros` since the Unix epoch.
    #[inline]
    pub fn begin_batch(&mut self, micros: i64, out: &mut Vec<u8>) {
        match self {
            Self::Native(_) => frame::put_time(out, micros),
            Self::Json(writer) => writer.begin_batch(micros),
        }
    }

    /// Whether what is written next, whatever it is, needs the time of its batch first.
    #[inline]
    pub fn needs_time(&self) -> bool {
        let Self::Json(writer) = self else { return false };
        writer.needs_time()
    }

    /// Whether a call can be answered: a client of the old form understands none, a server of the old form acknowledges
    /// none.
    #[inline]
    pub fn can_answer(&self, action: &ActionInfo) -> bool {
        let Self::Json(writer) = self else { return true };
        writer.can_answer(&action.reply)
    }

    /// What was written goes out.
    pub fn end_batch(&mut self) {
        if let Self::Json(writer) = self {
            writer.end_batch();
        }
    }

    /// Appends a one-way packet that [`packet_frame`] made, and spends its credit.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; nothing is written or spent then.
    #[inline]
    pub fn packet(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), SendRefused> {
        match self {
            Self::Native(outbound) => outbound.packet_encoded(frame, out),
            Self::Json(writer) => {
                writer.packet(frame, out);
                Ok(())
            }
        }
    }

    /// The same for a frame that goes into a batch which has its time, as [`begin_batch`](Self::begin_batch) tells it. `false`:
    /// nothing was written or spent, because of credit, length or time, or because it is no frame.
    #[inline]
    pub fn packet_now(&mut self, frame: &[u8], timed: bool, out: &mut Vec<u8>) -> bool {
        let Self::Native(outbound) = self else { return false };
        timed && outbound.packet_encoded(frame, out).is_ok()
    }

    /// Appends a call, but for what is known only when its turn has come: [`call_started`](Self::call_started).
    #[inline]
    pub fn call_frame(
        &self,
        id: u32,
        action: &ActionInfo,
        number: u16,
        timeout_ms: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Native(_) => frame::put_call(out, id, number, timeout_ms, payload),
            Self::Json(writer) => writer.call_head(action.action, timeout_ms, payload, out),
        }
    }

    /// Completes a call of which `out` ends with the [`call_frame`](Self::call_frame), and counts it, unless it opens a
    /// stream.
    #[inline]
    pub fn call_started(&mut self, id: u32, number: u16, stream: bool, out: &mut Vec<u8>) {
        match self {
            Self::Native(outbound) if !stream => outbound.call_started(),
            Self::Native(_) => {}
            Self::Json(writer) => writer.call_started(id, number, out),
        }
    }

    /// Appends a whole call, and counts it, unless it opens a stream. `text` is that of the call before, if it went with the same
    /// batch, and [forgotten](CallText::forget) when that ends or the other side shows what it is.
    #[inline]
    pub fn call(
        &mut self,
        id: u32,
        (number, action): (u16, &ActionInfo),
        timeout_ms: u32,
        payload: &[u8],
        text: &mut CallText,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Native(outbound) => {
                frame::put_call(out, id, number, timeout_ms, payload);
                if !action.reply.is_stream() {
                    outbound.call_started();
                }
            }
            Self::Json(writer) => writer.call(id, (number, action), timeout_ms, payload, text, out),
        }
    }

    /// Counts a call that the other side has answered.
    #[inline]
    pub fn call_ended(&mut self, id: u32, stream: bool) {
        match self {
            Self::Native(outbound) if !stream => outbound.call_ended(),
            Self::Native(_) => {}
            Self::Json(writer) => writer.call_ended(id),
        }
    }

    /// The longest frame, as its length field counts, that may answer a call; `None` where answers are no frames.
    pub const fn max_answer_len(&self) -> Option<u32> {
        let Self::Native(outbound) = self else { return None };
        Some(outbound.max_answer_len())
    }

    /// Writes the answer to a call, or the end of a stream: the reply packet, the declared error, or a failure. To nobody,
    /// nothing is written.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; nothing is written then.
    #[inline]
    pub fn answer(
        &mut self,
        to: &ReplyTo,
        answer: Answer<'_>,
        stream: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendRefused> {
        match (self, to) {
            (Self::Native(outbound), ReplyTo::Native(id)) => {
                if let Answer::Reply(payload) | Answer::Error(payload) = answer {
                    outbound.check_len(payload.len())?;
                }
                answer_frame(*id, answer, stream).encode(out);
                Ok(())
            }
            (Self::Json(writer), to) => match answer {
                Answer::Reply(payload) => writer.reply(to, false, payload, out),
                Answer::Error(payload) => writer.reply(to, true, payload, out),
                Answer::End => {
                    writer.end(to, out);
                    Ok(())
                }
                Answer::Failure { code, message } => {
                    writer.failure(to, code, message, out);
                    Ok(())
                }
            },
            (Self::Native(_), _) => Ok(()),
        }
    }

    /// Writes the schema of this side's protocol, as [`JsonWriter::schema`]; nothing in frames, which have none.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; the other side is told so then.
    pub fn schema(&self, to: &ReplyTo, text: &str, out: &mut Vec<u8>) -> Result<(), SendRefused> {
        let Self::Json(writer) = self else { return Ok(()) };
        writer.schema(to, text, out)
    }

    /// How replies in objects are written that go together, as [`JsonWriter::replies`].
    pub fn replies(&self, action: u16, text: Vec<u8>) -> Option<Replies> {
        let Self::Json(writer) = self else { return None };
        writer.replies(action, text)
    }

    /// Writes an item of a stream, and spends its credit, if the other side has given any.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; nothing is written or spent then.
    pub fn item(
        &self,
        to: &ReplyTo,
        payload: &[u8],
        credit: &mut Option<Credit>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendRefused> {
        if credit.is_some_and(|credit| !credit.is_left()) {
            return Err(SendRefused::NoCredit);
        }
        let len = match (self, to) {
            (Self::Native(outbound), ReplyTo::Native(id)) => {
                outbound.check_len(payload.len())?;
                frame::put_item(out, *id, payload);
                payload.len().saturating_add(REPLY_OVERHEAD)
            }
            (Self::Json(writer), to) => writer.item(to, payload, out)?,
            (Self::Native(_), _) => 0,
        };
        if let Some(credit) = credit {
            credit.spend(u32::try_from(len).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// Writes that more items of a stream may come. A side that has no credit to go by is told nothing.
    pub fn stream_credit_due(&self, id: u32, items: u32, bytes: u32, out: &mut Vec<u8>) {
        match self {
            Self::Native(_) => frame::put_credit(out, id, items, bytes),
            Self::Json(writer) => writer.credit(id, items, bytes, out),
        }
    }

    /// Writes that the answer to a call is not wanted any more.
    pub fn cancel(&self, id: u32, out: &mut Vec<u8>) {
        match self {
            Self::Native(_) => frame::put_cancel(out, id),
            Self::Json(writer) => writer.cancel(id, out),
        }
    }

    /// Whether the other side understands a ping.
    pub const fn can_ping(&self) -> bool {
        let Self::Json(writer) = self else { return true };
        writer.gives_credit()
    }

    /// Writes a ping, whose nonce comes back.
    pub fn ping(&self, nonce: u64, out: &mut Vec<u8>) {
        match self {
            Self::Native(_) => frame::put_ping(out, nonce),
            Self::Json(writer) => writer.ping(nonce, out),
        }
    }

    /// Writes the sign of life that was asked for.
    pub fn pong(&self, nonce: Option<u64>, out: &mut Vec<u8>) {
        match self {
            Self::Native(_) => frame::put_pong(out, nonce.unwrap_or_default()),
            Self::Json(writer) => writer.pong(nonce, out),
        }
    }

    /// Writes this side's last words; `alone` if nothing else is on its way.
    pub fn close(&self, close: Close<'_>, alone: bool, out: &mut Vec<u8>) {
        match self {
            Self::Native(_) => frame::put_close(out, close),
            Self::Json(writer) => writer.close(close, alone, out),
        }
    }

    /// Takes the credit that the other side gave.
    ///
    /// # Errors
    ///
    /// [`Violation::CreditOverflow`].
    pub fn handle_credit(&mut self, packets: u32, bytes: u32) -> Result<(), Violation> {
        let Self::Native(outbound) = self else { return Ok(()) };
        outbound.handle_credit(packets, bytes)
    }

    /// The call that an object answers, and how.
    pub fn answered<'a>(&self, named: &Named<'a>) -> Option<(u32, json::NamedAnswer<'a>)> {
        let Self::Json(writer) = self else { return None };
        writer.answered(named.re, &named.action, named.data, named.len)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, as [`JsonWriter::due`].
    #[inline]
    pub fn due(&mut self, given_up: bool, now: impl Fn() -> Instant) -> Option<Instant> {
        let Self::Json(writer) = self else { return None };
        writer.due(given_up, now)
    }

    /// Some time is over, as [`JsonWriter::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Close<'static>> {
        let Self::Json(writer) = self else { return None };
        writer.handle_timeout(now)
    }

    /// Whether an answer that never comes keeps everything waiting that is to be sent after its call.
    pub const fn is_one_by_one(&self) -> bool {
        let Self::Json(writer) = self else { return false };
        writer.is_one_by_one()
    }

    /// The other side of a JSON connection has shown what it is.
    pub const fn set_form(&mut self, form: Form) {
        if let Self::Json(writer) = self {
            writer.set_form(form);
        }
    }

    /// What the other side of a JSON connection is known to be.
    pub const fn form(&self) -> Option<Form> {
        let Self::Json(writer) = self else { return None };
        Some(writer.form())
    }

    /// The other side of a JSON connection has said what it takes.
    pub const fn set_limits(&mut self, peer: &Limits) {
        if let Self::Json(writer) = self {
            writer.set_limits(peer);
        }
    }

    /// The handshake of a server came late.
    pub fn welcomed(&mut self, welcome: &JsonWelcome) {
        if let Self::Json(writer) = self {
            writer.welcomed(welcome);
        }
    }
}

/// Makes a one-way packet for all connections of a dialect; what differs between them is added by [`Writer::packet`].
pub fn packet_frame(dialect: Dialect, action: &ActionInfo, number: u16, payload: &[u8], out: &mut Vec<u8>) {
    match dialect {
        Dialect::Native => frame::put_packet(out, number, payload),
        Dialect::Json => json::put_head(out, action.action, payload),
    }
}

/// The same for a packet that `encode` appends, without a buffer between.
///
/// # Errors
///
/// Those of `encode`; `out` is then as it was.
#[inline]
pub fn encode_packet_frame<E>(
    dialect: Dialect,
    action: &ActionInfo,
    number: u16,
    out: &mut Vec<u8>,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    match dialect {
        Dialect::Native => {
            let mark = frame::begin_packet(out, number);
            let encoded = encode(out);
            if encoded.is_ok() {
                mark.close(out);
            } else {
                mark.abandon(out);
            }
            encoded
        }
        Dialect::Json => {
            json::begin_head(out, action.action);
            encode(out).inspect_err(|_| out.truncate(start))
        }
    }
}

fn answer_frame(id: u32, answer: Answer<'_>, stream: bool) -> Frame<'_> {
    match answer {
        Answer::End => Frame::End { id, end: StreamEnd::Done },
        Answer::Error(payload) if stream => Frame::End { id, end: StreamEnd::Error(payload) },
        Answer::Failure { code, message } if stream => Frame::End { id, end: StreamEnd::Failure { code, message } },
        Answer::Reply(payload) => Frame::Reply { id, payload },
        Answer::Error(payload) => Frame::Error { id, payload },
        Answer::Failure { code, message } => Frame::Failure { id, code, message },
    }
}
