//! What this side sends in the JSON dialect, and what it may send.

mod call_text;
mod replies;

use std::{collections::VecDeque, fmt, time::Instant};

use serde::Serialize;
use zeroize::Zeroizing;

pub use self::{call_text::CallText, replies::Replies};
use super::{
    Form, JsonWelcome, action,
    answer::{NamedAnswer, answer_of, misnamed},
    legacy::Legacy,
    own::{CloseData, CreditData, DisconnectData, FailureData},
    write::{END, Key, RE, begin_head, put_head, put_json, put_stamp, put_tie, put_timeout, quoted, re},
};
use crate::{
    close::Close,
    connection::{CallId, Credit, ReplyTo, SendRefused},
    failure::code,
    id::ConnectionId,
    info::{ActionInfo, Direction, ProtocolInfo, ReplyInfo, Role},
    limits::{Limits, MAX_LIMIT},
    text::cut,
};

/// The sending half of a connection in the JSON dialect: writes objects, and keeps to what the other side can take.
///
/// A packet is made in two steps: its *head* (action and data, [`put_head`]) once for all who get it, its *tail* (time,
/// token, id) when it goes into the buffer.
#[derive(Clone)]
pub struct JsonWriter {
    /// What this side sends, and what it receives.
    outgoing: &'static Direction,
    incoming: &'static Direction,
    /// What the other side is, and takes.
    legacy: Legacy,
    peer: Limits,
    /// The calls this side has open, oldest first: id and action.
    calls: VecDeque<(u32, u16)>,
    /// How many of them are streams.
    streams: u32,
    /// `"…"` or `null`. A client's is its secret.
    token: Zeroizing<Vec<u8>>,
    /// The tail up to the token, for all packets of a batch; empty between batches.
    stamp: Zeroizing<Vec<u8>>,
}

impl JsonWriter {
    /// A server's, on the connection `id`. The public id is what it sends as `token`.
    pub fn server(info: &'static ProtocolInfo, id: &ConnectionId, form: Form, peer: &Limits) -> Self {
        Self::new(info, Role::Server, Legacy::new(Role::Server, form, false), peer, format!("\"{id}\"").into_bytes())
    }

    /// A client's, which sends back the secret it was given.
    pub fn client(info: &'static ProtocolInfo, welcome: &JsonWelcome) -> Self {
        let legacy = Legacy::new(Role::Client, welcome.form, welcome.unread);
        Self::new(info, Role::Client, legacy, &welcome.limits, quoted(welcome.token.as_ref()))
    }

    fn new(info: &'static ProtocolInfo, role: Role, legacy: Legacy, peer: &Limits, token: Vec<u8>) -> Self {
        Self {
            outgoing: info.sent_by(role),
            incoming: info.received_by(role),
            legacy,
            peer: *peer,
            calls: VecDeque::new(),
            streams: 0,
            token: Zeroizing::new(token),
            stamp: Zeroizing::new(Vec::new()),
        }
    }

    /// Sets how many bytes a packet to a peer of the old form may have, the line end included: 256 to 2³¹−1, and
    /// [`OLD_PACKET_BYTES`](super::OLD_PACKET_BYTES) unless this says otherwise.
    pub fn set_old_packet_bytes(&mut self, bytes: u32) {
        self.legacy.set_max_len(bytes);
    }

    /// What the other side is known to be.
    pub const fn form(&self) -> Form {
        self.legacy.form
    }

    /// The other side has shown what it is.
    pub const fn set_form(&mut self, form: Form) {
        self.legacy.form = form;
    }

    /// The other side has said what it takes.
    pub const fn set_limits(&mut self, peer: &Limits) {
        self.peer = *peer;
    }

    /// A server's handshake came late: from now on its secret is sent back.
    pub fn welcomed(&mut self, welcome: &JsonWelcome) {
        self.set_form(welcome.form);
        self.token = Zeroizing::new(quoted(welcome.token.as_ref()));
        self.set_limits(&welcome.limits);
    }

    /// Whether packets that nobody asked for may be sent. A client of the old form takes answers only.
    pub const fn can_push(&self) -> bool {
        self.legacy.can_push()
    }

    /// Whether a one-way packet may go now. A server of the old form takes one packet at a time.
    pub const fn can_send_packet(&self) -> bool {
        self.legacy.is_ready()
    }

    /// Whether a call may go now.
    pub fn can_call(&self) -> bool {
        if self.legacy.is_one_by_one() {
            return self.legacy.is_ready() && self.calls.is_empty();
        }
        u32::try_from(self.calls.len()).is_ok_and(|calls| calls.saturating_sub(self.streams) < self.peer.calls)
    }

    /// How many streams this side may have open at the other.
    pub const fn max_streams(&self) -> u32 {
        self.peer.streams
    }

    /// The first credit of a stream that the other side opens here, if it gives any.
    pub const fn stream_credit(&self) -> Option<Credit> {
        let Limits { stream_items, packet_bytes, .. } = self.peer;
        if stream_items == MAX_LIMIT { None } else { Some(Credit::new(stream_items, packet_bytes)) }
    }

    /// Whether the other side goes by the credit that it is given.
    pub const fn gives_credit(&self) -> bool {
        self.legacy.form.is_pnet()
    }

    /// Whether the other side takes one packet at a time: a server of the old form.
    pub const fn is_one_by_one(&self) -> bool {
        self.legacy.is_one_by_one()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due: ask again when something was sent or given up. `given_up` is a
    /// call whose answer is still to come. What happened since it was asked last counts from `now` on.
    pub fn due(&mut self, given_up: bool, now: impl Fn() -> Instant) -> Option<Instant> {
        self.legacy.due(!self.calls.is_empty(), given_up, now)
    }

    /// Some time is over: more may be sent now, or the connection ends for the reason given.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Close<'static>> {
        self.legacy.handle_timeout(now)
    }

    /// The longest object the other side takes.
    pub fn max_object_len(&self) -> u32 {
        self.legacy.max_len(self.peer.max_frame_len)
    }

    /// Compares a packet of which the head has `len` bytes with what the other side takes.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`].
    pub fn check_len(&self, len: usize) -> Result<(), SendRefused> {
        self.check_object(len.saturating_add(TAIL_LEN))
    }

    fn check_object(&self, len: usize) -> Result<(), SendRefused> {
        let max = self.max_object_len();
        if u32::try_from(len).is_ok_and(|len| len <= max) { Ok(()) } else { Err(SendRefused::TooLong { len, max }) }
    }

    /// Compares the object that was written from `start` on with what the other side takes; its length. If it is too long, it
    /// is taken back.
    fn check_since(&self, start: usize, out: &mut Vec<u8>) -> Result<usize, SendRefused> {
        let len = self.legacy.counted(out.len().saturating_sub(start));
        self.check_object(len).inspect_err(|_| out.truncate(start))?;
        Ok(len)
    }

    /// Sets the time of what is written until [`end_batch`](Self::end_batch).
    pub fn begin_batch(&mut self, micros: i64) {
        if self.stamp.is_empty() {
            put_stamp(&mut self.stamp, micros, &self.token);
        }
    }

    /// Whether the next packet needs a time first.
    pub fn needs_time(&self) -> bool {
        self.stamp.is_empty()
    }

    /// Whether a call with this reply can be answered by the other side.
    pub const fn can_answer(&self, reply: &ReplyInfo) -> bool {
        self.legacy.can_answer(reply)
    }

    /// What was written goes out; what follows has another time.
    pub fn end_batch(&mut self) {
        self.stamp.clear();
    }

    /// Writes a one-way packet of which the head was made before.
    pub fn packet(&mut self, head: &[u8], out: &mut Vec<u8>) {
        self.legacy.sent();
        out.extend_from_slice(head);
        self.finish(out, None);
    }

    /// Writes the head of a call. How long its caller waits is told to who understands it.
    pub fn call_head(&self, action: &str, timeout_ms: u32, data: &[u8], out: &mut Vec<u8>) {
        put_head(out, action, data);
        put_timeout(out, self.told(timeout_ms));
    }

    /// How long a caller waits, as the other side is told; 0 if it is not.
    const fn told(&self, timeout_ms: u32) -> u32 {
        if self.legacy.form.is_pnet() { timeout_ms } else { 0 }
    }

    /// Completes a call of which `out` ends with the head, and counts it.
    pub fn call_started(&mut self, id: u32, action: u16, out: &mut Vec<u8>) {
        self.count_call(id, action, self.is_stream(action));
        self.finish(out, Some((Key::Id, &CallId::Number(u64::from(id)))));
    }

    /// Writes a whole call, and counts it. `text` is that of the call before, if it went with the same batch.
    pub fn call(
        &mut self,
        id: u32,
        (action, info): (u16, &ActionInfo),
        timeout_ms: u32,
        data: &[u8],
        text: &mut CallText,
        out: &mut Vec<u8>,
    ) {
        debug_assert!(!self.stamp.is_empty(), "a batch has its time");
        if !text.is_of(action, timeout_ms) {
            text.set((action, info.action), timeout_ms, self.told(timeout_ms), &self.stamp);
        }
        text.put(id, data, out);
        self.count_call(id, action, info.reply.is_stream());
    }

    fn count_call(&mut self, id: u32, action: u16, stream: bool) {
        self.legacy.sent();
        self.calls.push_back((id, action));
        self.streams += u32::from(stream);
    }

    /// Forgets a call that has been answered.
    pub fn call_ended(&mut self, id: u32) {
        self.legacy.answered();
        // Most are answered in their order.
        let ended = match self.calls.front() {
            Some((first, _)) if *first == id => self.calls.pop_front(),
            _ => self.calls.iter().position(|(known, _)| *known == id).and_then(|place| self.calls.remove(place)),
        };
        if let Some((_, action)) = ended
            && self.streams > 0
        {
            self.streams -= u32::from(self.is_stream(action));
        }
    }

    fn is_stream(&self, action: u16) -> bool {
        self.outgoing.get(action).is_some_and(|info| info.reply.is_stream())
    }

    /// Finds the call that an object of `len` bytes answers, by its `re`, or by its action where the other side gives none;
    /// and says how it answers it. `None`: it answers nothing that is open. What belongs to a stream always has a `re`.
    pub fn answered<'a>(
        &self,
        re: Option<u32>,
        name: &str,
        data: Option<&'a [u8]>,
        len: usize,
    ) -> Option<(u32, NamedAnswer<'a>)> {
        let reply = |action| self.outgoing.get(action).map(|info| &info.reply);
        let Some(re) = re else {
            let mut calls = self.calls.iter().filter_map(|(id, action)| Some((*id, reply(*action)?)));
            return calls.find_map(|(id, reply)| {
                if reply.is_stream() { None } else { Some((id, answer_of(reply, name, data, len)?)) }
            });
        };
        let (id, action) = self.calls.iter().find(|(id, _)| *id == re)?;
        let reply = reply(*action);
        let answer = reply.and_then(|reply| answer_of(reply, name, data, len));
        Some((*id, answer.unwrap_or_else(|| misnamed(reply, name))))
    }

    /// Writes the reply packet that answers a call, or the declared error. Where the other side did not number its call,
    /// the answer is a packet like any other, and a mere acknowledgement nothing at all.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; nothing is written then.
    pub fn reply(&self, to: &ReplyTo, error: bool, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendRefused> {
        let name = match self.reply_to(to) {
            Some(ReplyInfo::Packet(part) | ReplyInfo::Result(part, _)) if !error => part.action,
            Some(ReplyInfo::Result(_, part) | ReplyInfo::Stream { error: Some(part), .. }) => part.action,
            _ if to.is_numbered() => action::DONE,
            _ => return Ok(()),
        };
        self.put(name, payload, to, out).map(drop)
    }

    /// What the protocol declares as the answer that goes there.
    fn reply_to(&self, to: &ReplyTo) -> Option<&'static ReplyInfo> {
        Some(&self.incoming.get(to.action()?)?.reply)
    }

    /// Writes an answer; its length.
    fn put(&self, name: &str, payload: &[u8], to: &ReplyTo, out: &mut Vec<u8>) -> Result<usize, SendRefused> {
        let start = out.len();
        put_head(out, name, payload);
        self.finish(out, re(to));
        self.check_since(start, out)
    }

    /// Writes the schema of this side's protocol to who has asked for it.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; the other side is told so then.
    pub fn schema(&self, to: &ReplyTo, text: &str, out: &mut Vec<u8>) -> Result<(), SendRefused> {
        let written = self.put(action::SCHEMA, text.as_bytes(), to, out).map(drop);
        // Who has asked waits for an answer, with an id or without.
        written.inspect_err(|refused| self.put_failure(to, code::TOO_LONG, &refused.to_string(), out))
    }

    /// How replies to calls of an action are written until the batch ends, or until the other side says what it takes; those
    /// calls are numbered. `None` if they are not written so. `text` is an empty buffer, to be used again.
    pub fn replies(&self, action: u16, mut text: Vec<u8>) -> Option<Replies> {
        let name = match &self.incoming.get(action)?.reply {
            ReplyInfo::Packet(part) | ReplyInfo::Result(part, _) => part.action,
            ReplyInfo::Ack => action::DONE,
            ReplyInfo::Stream { .. } | ReplyInfo::None => return None,
        };
        if self.legacy.form.is_old() {
            return None;
        }
        begin_head(&mut text, name);
        let head_len = text.len();
        text.extend_from_slice(&self.stamp);
        text.extend_from_slice(RE);
        let max_len = usize::try_from(self.max_object_len()).unwrap_or(usize::MAX);
        Some(Replies::new(action, text, head_len, max_len))
    }

    /// Writes an item of a stream; the length of its object.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; nothing is written then.
    pub fn item(&self, to: &ReplyTo, payload: &[u8], out: &mut Vec<u8>) -> Result<usize, SendRefused> {
        let Some(ReplyInfo::Stream { item, .. }) = self.reply_to(to) else { return Ok(0) };
        self.put(item.action, payload, to, out)
    }

    /// Writes the end of a stream.
    pub fn end(&self, to: &ReplyTo, out: &mut Vec<u8>) {
        self.own(action::END, &(), re(to), out);
    }

    /// Writes that more items of a stream may come, to a side that goes by it.
    pub fn credit(&self, id: u32, items: u32, bytes: u32, out: &mut Vec<u8>) {
        if self.gives_credit() {
            let id = CallId::Number(u64::from(id));
            self.own(action::CREDIT, &CreditData { items, bytes }, Some((Key::Id, &id)), out);
        }
    }

    /// Writes that a call, or a packet that was refused, is not answered as declared. Of packets that nobody waits for an
    /// answer to, only those are told who are known to understand it.
    pub fn failure(&self, to: &ReplyTo, code: &str, message: &str, out: &mut Vec<u8>) {
        if to.is_call() || self.legacy.takes_failures() {
            self.put_failure(to, code, message, out);
        }
    }

    fn put_failure(&self, to: &ReplyTo, code: &str, message: &str, out: &mut Vec<u8>) {
        let start = out.len();
        let message = cut(message, self.legacy.text_len());
        self.own(action::FAILURE, &FailureData { code, message }, re(to), out);
        if self.check_since(start, out).is_err() {
            // Escapes may have made it longer than it is.
            self.own(action::FAILURE, &FailureData { code, message: "" }, re(to), out);
        }
    }

    /// Writes that the caller does not want an answer any more. A peer of the old form would not understand.
    pub fn cancel(&self, id: u32, out: &mut Vec<u8>) {
        if !self.legacy.form.is_old() {
            self.own(action::CANCEL, &(), Some((Key::Id, &CallId::Number(u64::from(id)))), out);
        }
    }

    /// Writes a ping, whose nonce comes back; at most 2^53-1.
    pub fn ping(&self, nonce: u64, out: &mut Vec<u8>) {
        self.own(action::PING, &nonce, None, out);
    }

    /// Writes the sign of life that was asked for.
    pub fn pong(&self, nonce: Option<u64>, out: &mut Vec<u8>) {
        self.own(action::PONG, &nonce, None, out);
    }

    /// Writes the last packet. A peer of the old form understands `disconnect`, and only if it reads it on its own:
    /// `alone` says that nothing else is on its way to it.
    pub fn close(&self, close: Close<'_>, alone: bool, out: &mut Vec<u8>) {
        if !self.legacy.form.is_old() {
            self.own(action::CLOSE, &CloseData::new(&close), None, out);
        } else if alone && self.legacy.is_ready() {
            let reason = cut(close.reason, self.legacy.text_len());
            self.own(action::DISCONNECT, &DisconnectData { reason }, None, out);
        }
    }

    /// Writes a packet of the dialect's own.
    fn own(&self, name: &str, data: &impl Serialize, tie: Option<(Key, &CallId<'_>)>, out: &mut Vec<u8>) {
        begin_head(out, name);
        put_json(out, data);
        self.finish(out, tie);
    }

    fn finish(&self, out: &mut Vec<u8>, tie: Option<(Key, &CallId<'_>)>) {
        debug_assert!(!self.stamp.is_empty(), "a batch has its time");
        out.extend_from_slice(&self.stamp);
        if let Some(tie) = tie {
            put_tie(out, tie);
        }
        out.extend_from_slice(END);
    }
}

/// Without the token.
impl fmt::Debug for JsonWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonWriter")
            .field("form", &self.form())
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

/// More than a tail adds to a head: time, a token, an id that is a number. One that is text may be longer.
const TAIL_LEN: usize = 128;
