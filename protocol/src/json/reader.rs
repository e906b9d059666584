//! What the other side sends in the JSON dialect, and what it has open here.

mod again;

use std::borrow::Cow;

use self::again::Before;
use super::{
    Form, JsonFault, action,
    envelope::{Envelope, Token, is_space},
    hello::{LateHello, put_welcome},
    own::{close_of, credit_of, nonce_of},
    payload_of,
    quick::{self, Around, Quick},
    scan::Scanner,
    welcome::{JsonWelcome, REFUSED, refuses},
};
use crate::{
    close::{CloseCode, Retry},
    connection::{
        Call, CallId, Calls, Event, InFlight, MAX_CALLS, Named, Packet, ReplyTo, Usual, Violation, WelcomeText,
    },
    failure::code,
    fault::ReadError,
    id::{ConnectionId, SessionToken},
    info::ShapePolicy,
    info::{Direction, ProtocolInfo, ReplyInfo, Role},
    limits::{ACTION_LEN, Limits, UNCREDITED_PACKETS, agreed_heartbeat_ms},
    text::cut,
    utf8,
};

/// The receiving half of a connection in the JSON dialect: finds the objects, says what they mean, and enforces this
/// side's limits on the way.
#[derive(Debug)]
pub struct JsonReader {
    role: Role,
    info: &'static ProtocolInfo,
    incoming: &'static Direction,
    limits: Limits,
    form: Form,
    /// What a server gives its client, and compares with what comes back. A client compares nothing, since nobody sends
    /// it its own.
    secret: Option<Issued>,
    /// A server's own heartbeat, and the one that is agreed on; in milliseconds.
    heartbeat_ms: (u32, u32),
    /// How much of a server's schema its client may learn.
    shapes: ShapePolicy,
    scanner: Scanner,
    /// What the object before says around its data, if that is of use. Its token was found to be right.
    before: Option<Before>,
    created: Option<i64>,
    calls: Calls<ReplyTo>,
    /// How many of them are streams.
    streams: u32,
    packets: u32,
    packet_bytes: u64,
    closed: bool,
}

impl JsonReader {
    /// A server's, on the connection `id`, whose secret the client may send back.
    pub fn server(
        info: &'static ProtocolInfo,
        local: &Limits,
        id: ConnectionId,
        token: SessionToken,
        form: Form,
    ) -> Self {
        Self::new(Role::Server, info, local, Some(Issued { id, token, told: false }), form)
    }

    /// A client's.
    pub fn client(info: &'static ProtocolInfo, local: &Limits, form: Form) -> Self {
        Self::new(Role::Client, info, local, None, form)
    }

    const fn new(role: Role, info: &'static ProtocolInfo, local: &Limits, secret: Option<Issued>, form: Form) -> Self {
        Self {
            role,
            info,
            incoming: info.received_by(role),
            limits: *local,
            form,
            secret,
            heartbeat_ms: (0, 0),
            shapes: ShapePolicy::Names,
            scanner: Scanner::new(),
            before: None,
            created: None,
            calls: Calls::new(),
            streams: 0,
            packets: 0,
            packet_bytes: 0,
            closed: false,
        }
    }

    /// What the other side is known to be, after what it has sent.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// A server's heartbeat, and what its client wishes for, in milliseconds; 0 is none.
    pub const fn set_heartbeat(&mut self, own: u32, wish: u32) {
        self.heartbeat_ms = (own, agreed_heartbeat_ms(own, wish));
    }

    /// How much of a server's schema its client may learn if it asks: the names only, unless this says otherwise.
    pub const fn set_shapes(&mut self, shapes: ShapePolicy) {
        self.shapes = shapes;
    }

    /// What a server announces to a client that was made for pnet; to others nothing, and so it is 0.
    pub const fn heartbeat_ms(&self) -> u32 {
        if self.form.is_pnet() { self.heartbeat_ms.1 } else { 0 }
    }

    /// When the packet that was read last was written, in microseconds since the Unix epoch, as its sender says.
    pub const fn created(&self) -> Option<i64> {
        self.created
    }

    /// Takes the next object and the line end behind it, or the whitespace before it; how many bytes that was. `None` if there is no whole object:
    /// call again with the same bytes and more.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the other side broke a rule after which nothing can be read any more.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Event<'a>, usize)>, ReadError> {
        self.begin();
        self.next_at(input, 0)
    }

    /// Other bytes are read from now on than before.
    pub const fn begin(&mut self) {
        self.before = None;
    }

    /// The same as [`next`](Self::next) for the bytes from `at` on, all of which are the same since [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_at<'a>(&mut self, bytes: &'a [u8], at: usize) -> Result<Option<(Event<'a>, usize)>, ReadError> {
        let input = bytes.get(at..).unwrap_or_default();
        if !self.scanner.has_begun() {
            let space = input.iter().take_while(|byte| is_space(**byte)).count();
            if space > 0 {
                return Ok(Some((Event::Ignored, space)));
            }
            match input.first() {
                None => return Ok(None),
                Some(b'{') => {}
                Some(byte) => return Err(JsonFault::NoObject { byte: *byte }.into()),
            }
        }
        let max = usize::try_from(self.limits.max_frame_len).unwrap_or(usize::MAX);
        // What is longer than the limit is not even looked through.
        let window = input.get(..max).unwrap_or(input);
        // Most objects are there as a whole, and nothing is odd about them. The others are tried once only.
        let quick = if self.scanner.has_begun() { None } else { quick::read(window) };
        let (envelope, len, around) = match quick {
            Some(Quick { envelope, len, around }) => (Ok(envelope), len, around),
            None => {
                let Some((envelope, len)) = Envelope::scan(&mut self.scanner, window)? else {
                    if input.len() > max {
                        return Err(JsonFault::TooLong { max: self.limits.max_frame_len }.into());
                    }
                    return Ok(None);
                };
                (envelope, len, None)
            }
        };
        if self.closed {
            return Err(Violation::AfterClose { frame: "object" }.into());
        }
        (self.created, self.before) = (None, None);
        let event = match envelope {
            Ok(envelope) => {
                self.check_token(&envelope.token)?;
                let place = |(start, end)| (at + start, at + end);
                self.before = around.map(|Around { head, stamp, rest }| Before {
                    around: Around { head: place(head), stamp: place(stamp), rest: place(rest) },
                    timeout_ms: envelope.timeout.unwrap_or(0),
                    action: None,
                });
                self.event(envelope, len)?
            }
            Err(fault) => refused(fault.id, code::MALFORMED, fault.what),
        };
        let event = self.for_no_open_call(event);
        Ok(Some((event, with_line_end(input, len))))
    }

    /// A failure must not be taken for the answer to the open call whose id its object has used again.
    fn for_no_open_call<'a>(&mut self, event: Event<'a>) -> Event<'a> {
        match event {
            Event::Refused { to: ReplyTo::Json { id: Some(id), action }, code, message } => {
                let id = if self.find(&id).is_some() { None } else { Some(id) };
                Event::Refused { to: ReplyTo::Json { id, action }, code, message }
            }
            event => event,
        }
    }

    /// What an object means that was taken for an answer, and was none.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn packet<'a>(&mut self, named: Named<'a>) -> Result<Event<'a>, ReadError> {
        let Named { action, data, len, .. } = named;
        if action::is_reserved(&action) {
            // A failure is not answered by a failure.
            return Ok(Event::Ignored);
        }
        let data = data.and_then(|data| utf8::text(data).ok());
        self.admit(&action, data, None, None, len)
    }

    /// Writes a server's `handShake`, once: later calls write nothing. `micros` is the time, since the Unix epoch.
    pub fn greet(&mut self, micros: i64, out: &mut Vec<u8>) {
        let Some(secret) = self.secret.as_mut().filter(|secret| !secret.told) else { return };
        secret.told = true;
        if !self.form.is_pnet() {
            // None is announced, so none begins later.
            self.heartbeat_ms = (0, 0);
        }
        let offer = (&self.limits, self.heartbeat_ms.1);
        put_welcome(out, self.info, offer, self.form, (&secret.id, &secret.token), micros);
    }

    /// Where the answer to the open call `id` goes.
    pub fn reply_to(&mut self, id: u32) -> ReplyTo {
        self.calls.get_mut(id).map_or(ReplyTo::Nobody, |to| to.clone())
    }

    /// Forgets a call, because its answer was written. Unknown ids are ignored.
    pub fn call_finished(&mut self, id: u32) {
        let Some(to) = self.calls.remove(id) else { return };
        let info = to.action().and_then(|action| self.incoming.get(action));
        self.streams -= u32::from(info.is_some_and(|info| info.reply.is_stream()));
    }

    /// Takes back what a one-way packet occupied, because it was handled or dropped. Nothing is written: there is no
    /// credit in this dialect.
    pub fn packet_finished(&mut self, len: u32) {
        self.packets = self.packets.saturating_sub(1);
        self.packet_bytes = self.packet_bytes.saturating_sub(u64::from(len));
    }

    /// How many calls the other side has open here.
    pub const fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// How many one-way packets of the other side are not finished here.
    pub const fn open_packets(&self) -> u32 {
        self.packets
    }

    /// All of the other side's that is not finished here.
    #[inline]
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        if self.calls.is_empty() && self.packets == 0 {
            return InFlight::NOTHING;
        }
        let calls = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        let left = (
            self.packets < self.limits.packets.saturating_mul(UNCREDITED_PACKETS),
            self.packet_bytes < u64::from(self.limits.packet_bytes),
        );
        InFlight::new((calls, self.streams), self.packets, left, &self.limits)
    }

    fn event<'a>(&mut self, envelope: Envelope<'a>, len: usize) -> Result<Event<'a>, ReadError> {
        let Envelope { action, data, created, id, re, timeout, .. } = envelope;
        self.created = created;
        if id.is_some() {
            self.form = self.form.with_ids();
        }
        if action::is_reserved(&action)
            && let Some(event) = self.own(&action, data, id.as_ref(), re.is_some())?
        {
            return Ok(event);
        }
        if re.is_some() || (self.role == Role::Client && !self.form.is_pnet() && id.is_none()) {
            // A number that is no id of this side answers nothing.
            let re = re.map(|re| match re {
                CallId::Number(number) => u32::try_from(number).unwrap_or(0),
                CallId::Text(_) => 0,
            });
            return Ok(Event::Named(Named { re, action, data: data.map(str::as_bytes), len }));
        }
        self.admit(&action, data, id, timeout, len)
    }

    fn check_token(&self, token: &Token<'_>) -> Result<(), ReadError> {
        let Some(Issued { token: own, .. }) = &self.secret else { return Ok(()) };
        let fits = match token {
            Token::None => true,
            Token::Text(text) => SessionToken::from_text(text).is_some_and(|token| token.ct_eq(own)),
            Token::Other => false,
        };
        if fits { Ok(()) } else { Err(Violation::WrongToken.into()) }
    }

    /// A packet of the dialect's own. `None`: it is the answer to a call.
    fn own<'a>(
        &mut self,
        action: &str,
        data: Option<&'a str>,
        id: Option<&CallId<'_>>,
        is_answer: bool,
    ) -> Result<Option<Event<'a>>, ReadError> {
        let event = match action {
            action::END if is_answer => return Ok(None),
            action::DONE | action::FAILURE if is_answer || (self.role == Role::Client && !self.form.is_pnet()) => {
                return Ok(None);
            }
            // Nothing that this side has asked.
            action::DONE | action::END | action::FAILURE => Event::Ignored,
            // This side's pings have a number each.
            action::PONG => nonce_of(data).flatten().map_or(Event::Ignored, |nonce| Event::Pong { nonce }),
            action::HANDSHAKE if self.role == Role::Server => {
                let hello = LateHello::read(data, self.info);
                if hello.names_other {
                    return Err(Violation::OtherProtocol.into());
                }
                if hello.is_pnet {
                    self.form = Form::Pnet;
                    // What was announced stays.
                    if self.secret.as_ref().is_some_and(|secret| !secret.told) {
                        self.set_heartbeat(self.heartbeat_ms.0, hello.heartbeat_ms);
                    }
                }
                Event::Greeted { limits: hello.limits }
            }
            action::HANDSHAKE if refuses(data) => {
                self.closed = true;
                let reason = Cow::Borrowed(REFUSED);
                Event::Close { code: CloseCode::Unauthorized, retry: Retry::Unspecified, reason }
            }
            action::HANDSHAKE => {
                self.form = JsonWelcome::read(data).form;
                Event::Welcomed(WelcomeText(data))
            }
            action::DISCONNECT => {
                self.closed = true;
                Event::Close { code: CloseCode::Normal, retry: Retry::Unspecified, reason: close_of(data).2 }
            }
            action::CLOSE => {
                self.closed = true;
                let (code, retry, reason) = close_of(data);
                Event::Close { code, retry, reason }
            }
            action::CANCEL => self.cancel(id),
            action::CREDIT => self.credit(id, data),
            action::SCHEMA if is_answer => Event::Ignored,
            action::SCHEMA if self.role == Role::Server => self.schema_asked(id),
            action::PING => match nonce_of(data) {
                Some(nonce) => Event::Ping { nonce },
                None => {
                    let what = "the data of `pnet.ping` is an integer from 0 to 2^53-1, or null";
                    refused(None, code::MALFORMED, what)
                }
            },
            other => unknown(id.cloned(), other),
        };
        Ok(Some(event))
    }

    fn cancel<'a>(&mut self, id: Option<&CallId<'_>>) -> Event<'a> {
        let Some(id) = id else {
            return refused(None, code::MALFORMED, "`pnet.cancel` has the `id` of a call");
        };
        // The answer to a call may cross its cancellation, so an unknown id is nobody's fault.
        self.find(id).map_or(Event::Ignored, |id| Event::Cancel { id })
    }

    fn credit<'a>(&mut self, id: Option<&CallId<'_>>, data: Option<&str>) -> Event<'a> {
        let Some(id) = id else {
            return refused(None, code::MALFORMED, "`pnet.credit` has the `id` of a stream");
        };
        let (items, bytes) = credit_of(data);
        // As with its cancellation: the stream may be at its end.
        self.find(id).map_or(Event::Ignored, |id| Event::StreamCredit { id, items, bytes })
    }

    fn schema_asked<'a>(&mut self, id: Option<&CallId<'_>>) -> Event<'a> {
        if id.is_some_and(|id| self.find(id).is_some()) {
            return refused(None, code::MALFORMED, STILL_OPEN);
        }
        let to = ReplyTo::Json { id: id.cloned().map(CallId::into_owned), action: None };
        Event::SchemaAsked { to, shapes: self.shapes }
    }

    /// The open call to which the other side gave this id.
    fn find(&mut self, id: &CallId<'_>) -> Option<u32> {
        self.calls.iter_mut().find_map(|(number, to)| match &*to {
            ReplyTo::Json { id: Some(known), .. } if known == id => Some(number),
            _ => None,
        })
    }

    /// A packet or a call.
    fn admit<'a>(
        &mut self,
        action: &str,
        data: Option<&'a str>,
        id: Option<CallId<'a>>,
        timeout: Option<u32>,
        len: usize,
    ) -> Result<Event<'a>, ReadError> {
        let Some(number) = self.incoming.find(action) else {
            if action::SIGNS.contains(&action) && id.is_none() {
                return Ok(Event::Ignored);
            }
            return Ok(unknown(id, action));
        };
        let Some(info) = self.incoming.get(number) else { return Ok(Event::Ignored) };
        let payload = payload_of(data.map(str::as_bytes), info.schema);
        if matches!(info.reply, ReplyInfo::None) {
            if id.is_some() {
                return Ok(refused(id, code::NO_REPLY, format!("`{}` has no answer", info.action)));
            }
            let frame_len = u32::try_from(len).unwrap_or(u32::MAX);
            self.arrive(frame_len)?;
            return Ok(Event::Usual(Usual::Packet(Packet { action: number, payload, frame_len })));
        }
        if let Some(id) = &id
            && self.find(id).is_some()
        {
            return Ok(refused(None, code::MALFORMED, STILL_OPEN));
        }
        if info.reply.is_stream() && id.is_none() {
            return Ok(refused(
                None,
                code::MALFORMED,
                format!("`{}` opens a stream, which needs an `id`", info.action),
            ));
        }
        let to = ReplyTo::Json { id: id.map(CallId::into_owned), action: Some(number) };
        Ok(self.open(to, timeout.unwrap_or(0), payload))
    }

    /// Enters a call, if there is room for it.
    fn open<'a>(&mut self, to: ReplyTo, timeout_ms: u32, payload: &'a [u8]) -> Event<'a> {
        let action = to.action().unwrap_or_default();
        let stream = self.incoming.get(action).is_some_and(|info| info.reply.is_stream());
        let free = if stream { self.streams < self.limits.streams } else { self.has_room() };
        if !free || self.calls.len() >= MAX_CALLS {
            return Event::Busy { to, stream };
        }
        let Some(id) = self.calls.insert(to) else { return Event::Ignored };
        self.streams += u32::from(stream);
        Event::Usual(Usual::Call(Call { id, action, timeout_ms, payload }))
    }

    /// Whether another call that opens no stream may be open.
    fn has_room(&self) -> bool {
        u32::try_from(self.calls.len()).is_ok_and(|open| open.saturating_sub(self.streams) < self.limits.calls)
    }

    fn is_open(&mut self, id: u32) -> bool {
        !self.calls.is_empty() && self.find(&CallId::Number(u64::from(id))).is_some()
    }

    /// Counts a one-way packet.
    fn arrive(&mut self, frame_len: u32) -> Result<(), Violation> {
        // The first one may be longer than all the room there is.
        let many = self.packets >= self.limits.packets.saturating_mul(UNCREDITED_PACKETS);
        let much = self.packets > 0
            && self.packet_bytes.saturating_add(u64::from(frame_len)) > u64::from(self.limits.packet_bytes);
        if many || much {
            return Err(Violation::Overload { packets: self.packets, bytes: self.packet_bytes });
        }
        self.packets += 1;
        self.packet_bytes += u64::from(frame_len);
        Ok(())
    }
}

const STILL_OPEN: &str = "the `id` is that of a call which is still open";

/// The length of an object, with the line end behind it.
fn with_line_end(input: &[u8], len: usize) -> usize {
    len + usize::from(input.get(len) == Some(&b'\n'))
}

/// The secret of a connection, and its public name.
#[derive(Debug)]
struct Issued {
    id: ConnectionId,
    token: SessionToken,
    /// Whether the client was told.
    told: bool,
}

fn refused<'a>(id: Option<CallId<'_>>, code: &'static str, message: impl Into<Cow<'static, str>>) -> Event<'a> {
    let to = ReplyTo::Json { id: id.map(CallId::into_owned), action: None };
    Event::Refused { to, code, message: message.into() }
}

fn unknown<'a>(id: Option<CallId<'_>>, action: &str) -> Event<'a> {
    refused(id, code::UNKNOWN_ACTION, format!("there is no action {:?}", cut(action, ACTION_LEN)))
}
