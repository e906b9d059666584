//! What this side sends in the JSON dialect, and what it may send.

mod call_text;
mod replies;

use std::{borrow::Cow, collections::VecDeque, fmt};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::call_text::put_timeout;
pub use self::{call_text::CallText, replies::Replies};
use super::{
    Form, JsonWelcome, action,
    envelope::CallId,
    payload_of,
    reader::{if_it_fits, object_of},
};
use crate::{
    close::{Close, Retry},
    connection::{Answer, Credit, ReplyTo, SendRefused},
    failure::code,
    id::{ConnectionId, SessionToken},
    limits::{ACTION_LEN, CODE_LEN, Limits, MAX_LIMIT, OLD_OBJECT_LEN, TEXT_LEN},
    protocol::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo, Role},
    secret::Hidden,
    text::cut,
    utf8,
};

/// The sending half of a connection in the JSON dialect: writes objects, and keeps to what the other side can take.
///
/// A packet is made in two steps: its *head* (action and data, [`put_head`]) once for all who get it, its *tail* (time,
/// token, id) when it goes into the buffer.
#[derive(Clone)]
pub struct JsonWriter {
    role: Role,
    /// What this side sends, and what it receives.
    outgoing: &'static Direction,
    incoming: &'static Direction,
    form: Form,
    max_object_len: u32,
    max_calls: u32,
    max_streams: u32,
    /// The first credit of a stream, items and bytes; [`MAX_LIMIT`] items if there is none to go by.
    stream_credit: (u32, u32),
    /// The calls this side has open, oldest first: id and action.
    calls: VecDeque<(u32, u16)>,
    /// How many of them are streams.
    streams: u32,
    /// `"…"` or `null`. A client's is its secret.
    token: Zeroizing<Vec<u8>>,
    /// The tail up to the token, for all packets of a batch; empty between batches.
    stamp: Zeroizing<Vec<u8>>,
    /// A server of the old form may not have read what it was sent last.
    unread: bool,
}

impl JsonWriter {
    /// A server's, on the connection `id`. The public id is what it sends as `token`.
    pub fn server(info: &'static ProtocolInfo, id: &ConnectionId, form: Form, peer: &Limits) -> Self {
        let token = format!("\"{id}\"").into_bytes();
        Self::new(Role::Server, info, form, peer, token)
    }

    /// A client's, which sends back the secret it was given.
    pub fn client(info: &'static ProtocolInfo, welcome: &JsonWelcome) -> Self {
        let token = quoted(welcome.token.as_ref());
        Self { unread: welcome.unread, ..Self::new(Role::Client, info, welcome.form, &welcome.limits, token) }
    }

    fn new(role: Role, info: &'static ProtocolInfo, form: Form, peer: &Limits, token: Vec<u8>) -> Self {
        Self {
            role,
            outgoing: info.sent_by(role),
            incoming: info.received_by(role),
            form,
            max_object_len: peer.max_frame_len,
            max_calls: peer.calls,
            max_streams: peer.streams,
            stream_credit: (peer.stream_items, peer.packet_bytes),
            calls: VecDeque::new(),
            streams: 0,
            token: Zeroizing::new(token),
            stamp: Zeroizing::new(Vec::new()),
            unread: false,
        }
    }

    /// What the other side is known to be.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The other side has shown what it is.
    pub const fn set_form(&mut self, form: Form) {
        self.form = form;
    }

    /// The other side has said what it takes.
    pub const fn set_limits(&mut self, peer: &Limits) {
        self.max_object_len = peer.max_frame_len;
        self.max_calls = peer.calls;
        self.max_streams = peer.streams;
        self.stream_credit = (peer.stream_items, peer.packet_bytes);
    }

    /// A server's handshake came late: from now on its secret is sent back.
    pub fn welcomed(&mut self, welcome: &JsonWelcome) {
        self.form = welcome.form;
        self.token = Zeroizing::new(quoted(welcome.token.as_ref()));
        self.set_limits(&welcome.limits);
    }

    /// Whether packets that nobody asked for may be sent. A client of the old form takes answers only.
    pub const fn can_push(&self) -> bool {
        matches!((self.role, self.form), (Role::Client, _) | (Role::Server, Form::Plain | Form::Pnet))
    }

    /// Whether a one-way packet may go now. A server of the old form takes one packet at a time.
    pub const fn can_send_packet(&self) -> bool {
        !(self.is_one_by_one() && self.unread)
    }

    /// Whether a call may go now.
    pub fn can_call(&self) -> bool {
        if self.is_one_by_one() {
            return !self.unread && self.calls.is_empty();
        }
        u32::try_from(self.calls.len()).is_ok_and(|calls| calls.saturating_sub(self.streams) < self.max_calls)
    }

    /// How many streams this side may have open at the other.
    pub const fn max_streams(&self) -> u32 {
        self.max_streams
    }

    /// The first credit of a stream that the other side opens here, if it gives any.
    pub const fn stream_credit(&self) -> Option<Credit> {
        let (items, bytes) = self.stream_credit;
        if items == MAX_LIMIT { None } else { Some(Credit::new(items, bytes)) }
    }

    /// Whether the other side goes by the credit that it is given.
    pub const fn gives_credit(&self) -> bool {
        matches!(self.form, Form::Pnet)
    }

    /// Whether the other side takes one packet at a time: a server of the old form.
    pub const fn is_one_by_one(&self) -> bool {
        matches!((self.role, self.form), (Role::Client, Form::Old))
    }

    /// Whether the other side may still have to read the packet before: ask again after a pause, or when something came.
    pub fn awaits_reading(&self) -> bool {
        self.is_one_by_one() && self.unread && self.calls.is_empty()
    }

    /// The other side has had time to read, or has answered.
    pub const fn was_read(&mut self) {
        self.unread = false;
    }

    /// The longest object the other side takes.
    pub fn max_object_len(&self) -> u32 {
        let old = u32::try_from(OLD_OBJECT_LEN).unwrap_or(u32::MAX);
        if matches!(self.form, Form::Old) { self.max_object_len.min(old) } else { self.max_object_len }
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

    /// Sets the time of what is written until [`end_batch`](Self::end_batch).
    pub fn begin_batch(&mut self, micros: i64) {
        if !self.stamp.is_empty() {
            return;
        }
        put_stamp(&mut self.stamp, micros, &self.token);
    }

    /// Whether the next packet needs a time first.
    pub fn needs_time(&self) -> bool {
        self.stamp.is_empty()
    }

    /// Whether a call with this reply can be answered by the other side.
    pub const fn can_answer(&self, reply: &ReplyInfo) -> bool {
        match (self.role, self.form) {
            (_, Form::Plain | Form::Pnet) => true,
            (Role::Server, Form::Old) => false,
            (Role::Client, Form::Old) => !matches!(reply, ReplyInfo::Ack | ReplyInfo::Stream { .. }),
        }
    }

    /// What was written goes out; what follows has another time.
    pub fn end_batch(&mut self) {
        self.stamp.clear();
    }

    /// Writes a one-way packet of which the head was made before.
    pub fn packet(&mut self, head: &[u8], out: &mut Vec<u8>) {
        self.unread = true;
        out.extend_from_slice(head);
        self.finish(out, None);
    }

    /// Writes the head of a call. How long its caller waits is told to who understands it.
    pub fn call_head(&self, action: &str, timeout_ms: u32, data: &[u8], out: &mut Vec<u8>) {
        put_head(out, action, data);
        put_timeout(out, self.told(timeout_ms));
    }

    /// How long a caller waits, as the other side is told; 0 if it is not.
    fn told(&self, timeout_ms: u32) -> u32 {
        if self.form == Form::Pnet { timeout_ms } else { 0 }
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
        self.unread = true;
        self.calls.push_back((id, action));
        self.streams += u32::from(stream);
    }

    /// Forgets a call that has been answered.
    pub fn call_ended(&mut self, id: u32) {
        self.unread = false;
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
        let Some(re) = re else {
            let mut calls = self.calls.iter().filter(|(_, action)| !self.is_stream(*action));
            return calls.find_map(|(id, action)| Some((*id, self.answer_of(*action, name, data, len)?)));
        };
        let (id, action) = self.calls.iter().find(|(id, _)| *id == re)?;
        let answer = self.answer_of(*action, name, data, len).unwrap_or_else(|| {
            let declared = self.outgoing.get(*action).map_or("", |info| reply_name(&info.reply));
            NamedAnswer::Failure {
                code: code::MALFORMED.into(),
                message: format!("the answer has the action {:?}, and not \"{declared}\"", cut(name, ACTION_LEN)),
            }
        });
        Some((*id, answer))
    }

    fn answer_of<'a>(&self, action: u16, name: &str, data: Option<&'a [u8]>, len: usize) -> Option<NamedAnswer<'a>> {
        let reply = |part: &PartInfo| NamedAnswer::Reply(payload_of(data, part.schema));
        match &self.outgoing.get(action)?.reply {
            _ if name == action::FAILURE => Some(failure_of(data)),
            ReplyInfo::Ack if name == action::DONE => Some(NamedAnswer::Reply(b"null")),
            ReplyInfo::Packet(part) if name == part.action => Some(reply(part)),
            ReplyInfo::Result(part, _) if name == part.action => Some(reply(part)),
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

    /// Writes the reply packet that answers a call, or the declared error. Where the other side did not number its call,
    /// the answer is a packet like any other, and a mere acknowledgement nothing at all.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; nothing is written then.
    pub fn reply(&self, to: &ReplyTo, error: bool, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendRefused> {
        let info = to.action().and_then(|action| self.incoming.get(action));
        let name = match info.map(|info| &info.reply) {
            Some(ReplyInfo::Packet(part) | ReplyInfo::Result(part, _)) if !error => part.action,
            Some(ReplyInfo::Result(_, part) | ReplyInfo::Stream { error: Some(part), .. }) => part.action,
            _ if to.is_numbered() => action::DONE,
            _ => return Ok(()),
        };
        let start = out.len();
        put_head(out, name, payload);
        self.finish(out, re(to));
        self.check_object(self.len_since(start, out)).inspect_err(|_| out.truncate(start))
    }

    /// Writes the schema of this side's protocol to who has asked for it.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; the other side is told so then.
    pub fn schema(&self, to: &ReplyTo, text: &str, out: &mut Vec<u8>) -> Result<(), SendRefused> {
        let start = out.len();
        put_head(out, action::SCHEMA, text.as_bytes());
        self.finish(out, re(to));
        self.check_object(self.len_since(start, out)).inspect_err(|refused| {
            out.truncate(start);
            // Who has asked waits for an answer, with an id or without.
            self.put_failure(to, code::TOO_LONG, &refused.to_string(), out);
        })
    }

    /// How replies to calls of an action are written until the batch ends, or until the other side says what it takes; those
    /// calls are numbered. `None` if they are not written so. `text` is an empty buffer, to be used again.
    pub fn replies(&self, action: u16, mut text: Vec<u8>) -> Option<Replies> {
        let name = match &self.incoming.get(action)?.reply {
            ReplyInfo::Packet(part) | ReplyInfo::Result(part, _) => part.action,
            ReplyInfo::Ack => action::DONE,
            ReplyInfo::Stream { .. } | ReplyInfo::None => return None,
        };
        if self.form == Form::Old {
            return None;
        }
        put_action(&mut text, name);
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
        let info = to.action().and_then(|action| self.incoming.get(action));
        let Some(ReplyInfo::Stream { item, .. }) = info.map(|info| &info.reply) else { return Ok(0) };
        let start = out.len();
        put_head(out, item.action, payload);
        self.finish(out, re(to));
        let len = self.len_since(start, out);
        self.check_object(len).inspect_err(|_| out.truncate(start))?;
        Ok(len)
    }

    /// Writes the end of a stream.
    pub fn end(&self, to: &ReplyTo, out: &mut Vec<u8>) {
        self.own(action::END, &(), re(to), out);
    }

    /// Writes that more items of a stream may come, to a side that goes by it.
    pub fn credit(&self, id: u32, items: u32, bytes: u32, out: &mut Vec<u8>) {
        if self.gives_credit() {
            self.own(
                action::CREDIT,
                &CreditData { items, bytes },
                Some((Key::Id, &CallId::Number(u64::from(id)))),
                out,
            );
        }
    }

    /// The length of the object that was written from `start` on, as the other side's limit counts it: the old form has
    /// to read the line end, too.
    const fn len_since(&self, start: usize, out: &[u8]) -> usize {
        let len = out.len().saturating_sub(start);
        if matches!(self.form, Form::Old) { len } else { len.saturating_sub(1) }
    }

    /// Writes that a call, or a packet that was refused, is not answered as declared. Of packets that nobody waits for an
    /// answer to, only those are told who are known to understand it.
    pub fn failure(&self, to: &ReplyTo, code: &str, message: &str, out: &mut Vec<u8>) {
        let understands = match self.role {
            Role::Server => self.form != Form::Old,
            Role::Client => self.form == Form::Pnet,
        };
        if to.is_call() || understands {
            self.put_failure(to, code, message, out);
        }
    }

    fn put_failure(&self, to: &ReplyTo, code: &str, message: &str, out: &mut Vec<u8>) {
        let max = if self.form == Form::Old { OLD_OBJECT_LEN / 4 } else { TEXT_LEN };
        let start = out.len();
        self.own(action::FAILURE, &FailureData { code, message: cut(message, max) }, re(to), out);
        if self.check_object(self.len_since(start, out)).is_ok() {
            return;
        }
        // Escapes may have made it longer than it is.
        out.truncate(start);
        self.own(action::FAILURE, &FailureData { code, message: "" }, re(to), out);
    }

    /// Writes that the caller does not want an answer any more. A peer of the old form would not understand.
    pub fn cancel(&self, id: u32, out: &mut Vec<u8>) {
        if self.form != Form::Old {
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
        if self.form == Form::Old {
            // A server of the old form may still have to read what it was sent before.
            if alone && self.can_send_packet() {
                let reason = cut(close.reason, OLD_OBJECT_LEN / 4);
                self.own(action::DISCONNECT, &DisconnectData { reason }, None, out);
            }
            return;
        }
        self.own(action::CLOSE, &CloseData::new(&close), None, out);
    }

    /// Writes a packet of the dialect's own.
    fn own(&self, name: &str, data: &impl Serialize, with: Option<(Key, &CallId<'_>)>, out: &mut Vec<u8>) {
        put_action(out, name);
        put_json(out, data);
        self.finish(out, with);
    }

    fn finish(&self, out: &mut Vec<u8>, with: Option<(Key, &CallId<'_>)>) {
        debug_assert!(!self.stamp.is_empty(), "a batch has its time");
        out.extend_from_slice(&self.stamp);
        if let Some((key, id)) = with {
            out.extend_from_slice(match key {
                Key::Id => ID,
                Key::Re => RE,
            });
            match id {
                CallId::Number(number) => put_number(out, *number),
                CallId::Text(text) => put_json(out, text),
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

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

/// Without the token.
impl fmt::Debug for JsonWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonWriter").field("form", &self.form).field("calls", &self.calls.len()).finish_non_exhaustive()
    }
}

/// Writes the beginning of a packet, up to the end of its data.
pub fn put_head(out: &mut Vec<u8>, action: &str, data: &[u8]) {
    begin_head(out, action);
    out.extend_from_slice(data);
}

/// Writes what precedes the data.
pub fn begin_head(out: &mut Vec<u8>, action: &str) {
    put_action(out, action);
}

/// What a head adds to its data, in bytes. Actions hold no control characters, so an escape is two bytes long.
pub fn head_len(action: &str) -> usize {
    let escapes = action.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    br#"{"action":"","data":"#.len() + action.len() + escapes
}

/// Writes a `pnet.close` to a peer with which no connection was opened; `micros` is the time, since the Unix epoch.
pub fn put_close(out: &mut Vec<u8>, close: Close<'_>, micros: i64) {
    put_action(out, action::CLOSE);
    put_json(out, &CloseData::new(&close));
    put_stamp(out, micros, b"null");
    out.extend_from_slice(b"}\n");
}

/// Writes time and token.
pub(super) fn put_stamp(out: &mut Vec<u8>, micros: i64, token: &[u8]) {
    let distance = micros.unsigned_abs();
    out.extend_from_slice(b",\"packet-created\":");
    if micros < 0 {
        out.push(b'-');
    }
    put_number(out, distance / 1_000_000);
    // The point, and behind it six digits: those of a number that has a 1 in front.
    let point = out.len();
    put_number(out, 1_000_000 + distance % 1_000_000);
    if let Some(one) = out.get_mut(point) {
        *one = b'.';
    }
    out.extend_from_slice(b",\"token\":");
    out.extend_from_slice(token);
}

pub(super) fn put_action(out: &mut Vec<u8>, action: &str) {
    out.extend_from_slice(b"{\"action\":");
    put_json(out, &action);
    out.extend_from_slice(b",\"data\":");
}

pub(super) fn put_json(out: &mut Vec<u8>, data: &impl Serialize) {
    let written = serde_json::to_writer(out, data);
    debug_assert!(written.is_ok(), "texts and numbers can be written: {written:?}");
}

pub(super) fn quoted(token: Option<&SessionToken>) -> Vec<u8> {
    match token {
        Some(token) => [b"\"", token.expose_text().as_slice(), b"\""].concat(),
        None => b"null".to_vec(),
    }
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    put_json(out, &number);
}

/// How an object names a call.
#[derive(Clone, Copy)]
enum Key {
    /// The call is made by it, or meant by it.
    Id,
    /// The call is answered by it.
    Re,
}

/// What stands before a number.
const ID: &[u8] = b",\"id\":";
const RE: &[u8] = b",\"re\":";

/// The field that ties an answer to its call.
const fn re(to: &ReplyTo) -> Option<(Key, &CallId<'static>)> {
    match to {
        ReplyTo::Json { id: Some(id), .. } => Some((Key::Re, id)),
        _ => None,
    }
}

const fn reply_name(reply: &ReplyInfo) -> &'static str {
    match reply {
        ReplyInfo::Packet(part) | ReplyInfo::Result(part, _) | ReplyInfo::Stream { item: part, .. } => part.action,
        ReplyInfo::Ack | ReplyInfo::None => action::DONE,
    }
}

/// What a `pnet.failure` says, as far as it says it.
fn failure_of<'a>(data: Option<&[u8]>) -> NamedAnswer<'a> {
    let read: FailureRead<'_> = object_of(data.and_then(|data| utf8::text(data).ok()));
    let code = read.code.filter(|code| (1..=CODE_LEN).contains(&code.len()));
    let code = code.map_or_else(|| code::INTERNAL.to_owned(), Cow::into_owned);
    NamedAnswer::Failure { code, message: cut(&read.message.unwrap_or_default(), TEXT_LEN).to_owned() }
}

#[derive(Serialize)]
struct FailureData<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FailureRead<'a> {
    #[serde(borrow, deserialize_with = "if_it_fits")]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    message: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct CreditData {
    items: u32,
    bytes: u32,
}

#[derive(Serialize)]
struct DisconnectData<'a> {
    reason: &'a str,
}

#[derive(Serialize)]
struct CloseData<'a> {
    code: String,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<RetryData>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RetryData {
    After(u32),
    Never(&'static str),
}

impl<'a> CloseData<'a> {
    fn new(close: &Close<'a>) -> Self {
        let retry = match close.retry {
            Retry::Unspecified => None,
            Retry::After(ms) => Some(RetryData::After(ms)),
            Retry::Never => Some(RetryData::Never(NEVER)),
        };
        Self { code: close.code.to_string(), reason: cut(close.reason, TEXT_LEN), retry }
    }
}

/// `retry` of a close after which coming back is of no use.
pub(super) const NEVER: &str = "never";

/// More than a tail adds to a head: time, a token, an id that is a number. One that is text may be longer.
const TAIL_LEN: usize = 128;
