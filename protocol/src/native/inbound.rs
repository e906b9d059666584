//! What the other side may send, and what it has open here.

use crate::{
    connection::{Answer, Call, Event, InFlight, Packet, ReplyTo, Usual, Violation, Window},
    frame::{Frame, Kind, PACKET_OVERHEAD, REPLY_OVERHEAD, StreamEnd, put_credit},
    info::{Direction, ReplyInfo},
    limits::Limits,
};

/// Turns frames into events and enforces this side's limits on the way.
///
/// It allocates for open calls only, and for at most as many as the limit allows.
#[derive(Clone, Debug)]
pub struct Inbound {
    limits: Limits,
    /// What the other side sends: a call that opens a stream has a limit of its own.
    incoming: &'static Direction,
    /// Ids of the calls open here, sorted: the peer chooses them, and a sorted list has no bad case worth choosing.
    calls: Vec<Open>,
    streams: u32,
    packets: Window,
    closed: bool,
}

/// A call that is open here.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u32,
    stream: bool,
}

impl Inbound {
    /// What may come from a side that was told `local`, and sends `incoming`.
    pub const fn new(local: &Limits, incoming: &'static Direction) -> Self {
        Self {
            limits: *local,
            incoming,
            calls: Vec::new(),
            streams: 0,
            packets: Window::new(local.packets, local.packet_bytes),
            closed: false,
        }
    }

    /// Takes what `input` begins with, if that comes again and again, and says how many bytes it was: the short way. `None`,
    /// and nothing has happened, if it is anything else, not whole, or not in order: [`handle`](Self::handle) tells what
    /// it is.
    #[inline(always)]
    pub fn usual<'a>(&mut self, input: &'a [u8]) -> Option<(Usual<'a>, usize)> {
        let [a, b, c, d, kind] = *input.first_chunk()?;
        let frame_len = u32::from_le_bytes([a, b, c, d]);
        if frame_len > self.limits.max_frame_len || self.closed {
            return None;
        }
        let end = usize::try_from(frame_len).ok()?.checked_add(4)?;
        let body = input.get(5..end)?;
        let usual = if kind == Kind::Call as u8 {
            Usual::Call(self.take_call(body)?)
        } else if kind == Kind::Reply as u8 {
            return self.reply(input);
        } else if kind == Kind::Packet as u8 {
            Usual::Packet(self.take_packet(body, frame_len)?)
        } else if kind == Kind::Time as u8 {
            Usual::Time { micros: i64::from_le_bytes(body.try_into().ok()?) }
        } else {
            return None;
        };
        Some((usual, end))
    }

    /// The same for the reply to a call of this side only.
    #[inline]
    pub fn reply<'a>(&self, input: &'a [u8]) -> Option<(Usual<'a>, usize)> {
        let [a, b, c, d, kind, e, f, g, h] = *input.first_chunk()?;
        let (frame_len, id) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if kind != Kind::Reply as u8 || frame_len > self.limits.max_frame_len || id == 0 || self.closed {
            return None;
        }
        let end = usize::try_from(frame_len).ok()?.checked_add(4)?;
        Some((Usual::Reply { id, payload: input.get(9..end)? }, end))
    }

    #[inline(always)]
    fn take_call<'a>(&mut self, body: &'a [u8]) -> Option<Call<'a>> {
        let ([a, b, c, d, e, f, g, h, i, j], payload) = body.split_first_chunk()?;
        let (id, action) = (u32::from_le_bytes([*a, *b, *c, *d]), u16::from_le_bytes([*e, *f]));
        let info = self.incoming.get(action)?;
        // Callers count upwards, as a rule.
        let is_next = id != 0 && self.calls.last().is_none_or(|last| last.id < id);
        let open = u32::try_from(self.calls.len()).ok()?.saturating_sub(self.streams);
        if !is_next || open >= self.limits.calls || info.reply.is_stream() || matches!(info.reply, ReplyInfo::None) {
            return None;
        }
        self.calls.push(Open { id, stream: false });
        Some(Call { id, action, timeout_ms: u32::from_le_bytes([*g, *h, *i, *j]), payload })
    }

    #[inline(always)]
    fn take_packet<'a>(&mut self, body: &'a [u8], frame_len: u32) -> Option<Packet<'a>> {
        let (action, payload) = body.split_first_chunk()?;
        let action = u16::from_le_bytes(*action);
        let one_way = matches!(self.incoming.get(action)?.reply, ReplyInfo::None);
        (one_way && self.packets.arrived(frame_len)).then_some(Packet { action, payload, frame_len })
    }

    /// Takes the next frame.
    ///
    /// # Errors
    ///
    /// [`Violation`] if the peer broke a rule. The connection has to end; this value stays as it was.
    pub fn handle<'a>(&mut self, frame: Frame<'a>) -> Result<Event<'a>, Violation> {
        if self.closed {
            return Err(Violation::AfterClose { frame: frame.name() });
        }
        match frame {
            Frame::Packet { action, payload } => self.packet(action, payload),
            Frame::Call { id, action, timeout_ms, payload } => {
                if !self.open(id, action)? {
                    return Ok(Event::Busy { to: ReplyTo::Native(id), stream: self.is_stream(action) });
                }
                Ok(Event::Usual(Usual::Call(Call { id, action, timeout_ms, payload })))
            }
            Frame::Reply { id, payload } => answer("REPLY", id, Answer::Reply(payload)),
            Frame::Item { id: 0, .. } => Err(Violation::ZeroId { frame: "ITEM" }),
            Frame::Item { id, payload } => {
                let len = u32::try_from(payload.len().saturating_add(REPLY_OVERHEAD)).unwrap_or(u32::MAX);
                Ok(Event::Item { id, payload, len })
            }
            Frame::Time { micros } => Ok(Event::Usual(Usual::Time { micros })),
            _ => self.handle_rare(frame),
        }
    }

    /// Takes a frame of a kind that does not come again and again.
    fn handle_rare<'a>(&mut self, frame: Frame<'a>) -> Result<Event<'a>, Violation> {
        let name = frame.name();
        match frame {
            Frame::Error { id, payload } => answer(name, id, Answer::Error(payload)),
            Frame::Failure { id, code, message } => answer(name, id, Answer::Failure { code, message }),
            Frame::Time { micros } => Ok(Event::Usual(Usual::Time { micros })),
            Frame::Cancel { id: 0 } => Err(Violation::ZeroId { frame: name }),
            // The answer to a call may cross its cancellation, so an unknown id is nobody's fault.
            Frame::Cancel { id } if self.place(id).is_ok() => Ok(Event::Cancel { id }),
            Frame::Cancel { .. } => Ok(Event::Ignored),
            Frame::Credit { id: 0, packets, bytes } => Ok(Event::Credit { packets, bytes }),
            Frame::Credit { id, packets, bytes } => Ok(Event::StreamCredit { id, items: packets, bytes }),
            Frame::End { id, end } => {
                let end = match end {
                    StreamEnd::Done => Answer::End,
                    StreamEnd::Error(payload) => Answer::Error(payload),
                    StreamEnd::Failure { code, message } => Answer::Failure { code, message },
                };
                answer(name, id, end)
            }
            Frame::Ping { nonce } => Ok(Event::Ping { nonce: Some(nonce) }),
            Frame::Pong { nonce } => Ok(Event::Pong { nonce }),
            Frame::Close(close) => {
                self.closed = true;
                Ok(Event::Close { code: close.code, retry: close.retry, reason: close.reason.into() })
            }
            Frame::Hello(_) | Frame::Welcome(_) | Frame::Differ(_) | Frame::Offer(_) | Frame::Shapes(_) => {
                Err(Violation::Handshake { frame: name })
            }
            Frame::Packet { .. } | Frame::Call { .. } | Frame::Reply { .. } | Frame::Item { .. } => self.handle(frame),
        }
    }

    /// Forgets a call, because its answer was written. Unknown ids are ignored.
    #[inline]
    pub fn call_finished(&mut self, id: u32) {
        let finished = match self.calls.last() {
            Some(last) if last.id == id => self.calls.pop(),
            _ => self.place(id).ok().map(|place| self.calls.remove(place)),
        };
        self.streams -= u32::from(finished.is_some_and(|call| call.stream));
    }

    /// Takes back what a one-way packet of `frame_len` occupied, because it was handled or dropped, and writes a CREDIT
    /// frame when half the window is due.
    ///
    /// `frame_len` is what [`Packet::frame_len`] said.
    pub fn packet_finished(&mut self, frame_len: u32, out: &mut Vec<u8>) {
        if let Some((packets, bytes)) = self.packets.finished(frame_len) {
            put_credit(out, 0, packets, bytes);
        }
    }

    /// How many calls the other side has open here, streams included.
    pub fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// How many one-way packets of the other side are not finished here.
    pub const fn open_packets(&self) -> u32 {
        self.packets.open()
    }

    /// All of it that is not finished.
    #[inline]
    pub fn in_flight(&self) -> InFlight {
        let (calls, packets) = (self.calls.len(), self.packets.open());
        if calls == 0 && packets == 0 {
            return InFlight::NOTHING;
        }
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        InFlight::new((calls, self.streams), packets, self.packets.is_left(), &self.limits)
    }

    /// The limits enforced here.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    #[inline]
    fn packet<'a>(&mut self, action: u16, payload: &'a [u8]) -> Result<Event<'a>, Violation> {
        let frame_len = u32::try_from(payload.len().saturating_add(PACKET_OVERHEAD)).unwrap_or(u32::MAX);
        if !self.packets.arrived(frame_len) {
            return Err(Violation::NoCredit { packets: self.limits.packets, bytes: self.limits.packet_bytes });
        }
        Ok(Event::Usual(Usual::Packet(Packet { action, payload, frame_len })))
    }

    /// Enters a call; `false` if the limit is reached.
    #[inline]
    fn open(&mut self, id: u32, action: u16) -> Result<bool, Violation> {
        if id == 0 {
            return Err(Violation::ZeroId { frame: "CALL" });
        }
        let Err(place) = self.place(id) else {
            return Err(Violation::DuplicateCall { id });
        };
        let stream = self.is_stream(action);
        let free = if stream {
            self.streams < self.limits.streams
        } else {
            u32::try_from(self.calls.len()).is_ok_and(|open| open.saturating_sub(self.streams) < self.limits.calls)
        };
        if free {
            if place == self.calls.len() {
                self.calls.push(Open { id, stream });
            } else {
                self.calls.insert(place, Open { id, stream });
            }
            self.streams += u32::from(stream);
        }
        Ok(free)
    }

    fn is_stream(&self, action: u16) -> bool {
        self.incoming.get(action).is_some_and(|info| info.reply.is_stream())
    }

    /// Where the call stands, or would stand.
    #[inline]
    fn place(&self, id: u32) -> Result<usize, usize> {
        match self.calls.last() {
            None => Err(0),
            // Callers count upwards, and what was called last is answered first more often than not.
            Some(last) if last.id < id => Err(self.calls.len()),
            Some(last) if last.id == id => Ok(self.calls.len() - 1),
            Some(_) => self.calls.binary_search_by_key(&id, |call| call.id),
        }
    }
}

#[inline]
fn answer<'a>(frame: &'static str, id: u32, answer: Answer<'a>) -> Result<Event<'a>, Violation> {
    if id == 0 {
        return Err(Violation::ZeroId { frame });
    }
    Ok(Event::Answer { id, answer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::{Close, CloseCode, Retry};
    use crate::frame::decode;
    use crate::info::{ActionInfo, PartInfo};
    use crate::native::Outbound;
    use crate::packet::{Codec, WhenFull};
    use crate::schema::{Prim, Ty};

    fn inbound(calls: u32, packets: u32, bytes: u32) -> Inbound {
        Inbound::new(Limits::default().calls(calls).packets(packets).packet_bytes(bytes), &Direction { actions: &[] })
    }

    fn call(id: u32) -> Frame<'static> {
        Frame::Call { id, action: 1, timeout_ms: 0, payload: b"" }
    }

    fn packet(payload: &[u8]) -> Frame<'_> {
        Frame::Packet { action: 1, payload }
    }

    /// Actions 0 and 1 are calls, 2 is one-way, 3 opens a stream.
    static ACTIONS: Direction = Direction {
        actions: &[action(ReplyInfo::Ack), action(ReplyInfo::Ack), action(ReplyInfo::None), action(STREAM)],
    };

    const STREAM: ReplyInfo = ReplyInfo::Stream { item: PartInfo { action: "I", ..PART }, error: None };
    const PART: PartInfo =
        PartInfo { action: "P", type_name: "P", codec: Codec::Postcard, schema: &Ty::Prim(Prim::U32) };

    const fn action(reply: ReplyInfo) -> ActionInfo {
        let (codec, schema, when_full) = (Codec::Postcard, &Ty::Prim(Prim::U32), WhenFull::Wait);
        ActionInfo { action: "A", type_name: "A", codec, schema, reply, when_full, hash: 0 }
    }

    /// Whatever the short way takes, the long one takes in the same way; and it takes what is in order.
    #[test]
    fn the_short_way_agrees_with_the_long_one() {
        let mut taken = 0;
        for (open, closed) in [(0, false), (1, false), (2, false), (0, true)] {
            let mut before = Inbound::new(Limits::default().calls(2).packets(1).packet_bytes(9), &ACTIONS);
            for id in [7, 3].into_iter().take(open) {
                assert!(matches!(before.handle(call(id)), Ok(Event::Usual(Usual::Call(_)))));
            }
            before.closed = closed;
            for action in 0..5 {
                for frame in [
                    Frame::Call { id: 0, action, timeout_ms: 0, payload: b"" },
                    Frame::Call { id: 3, action, timeout_ms: 5, payload: b"data" },
                    Frame::Call { id: 9, action, timeout_ms: 5, payload: b"data" },
                    Frame::Packet { action, payload: b"data" },
                    Frame::Packet { action, payload: b"more than there is credit for, which may be" },
                    Frame::Reply { id: 3, payload: b"" },
                ] {
                    let mut bytes = Vec::new();
                    frame.encode(&mut bytes);
                    for len in 0..=bytes.len() {
                        taken += u32::from(agree(&before, &bytes[..len], len == bytes.len()));
                    }
                }
            }
        }
        // Of two calls the one whose id is above that of the open one; packets and replies whatever is open.
        assert_eq!(taken, 4 + 2 + 6 + 15, "calls with none open and with one, packets, and replies");
    }

    /// Whether the short way takes the frame at the beginning of `bytes`.
    fn agree(before: &Inbound, bytes: &[u8], whole: bool) -> bool {
        let (mut short, mut long) = (before.clone(), before.clone());
        let decoded = decode(bytes, before.limits.max_frame_len).unwrap();
        assert_eq!(decoded.is_some(), whole);
        let Some((usual, len)) = short.usual(bytes) else {
            assert_eq!((short.open_calls(), short.open_packets()), (before.open_calls(), before.open_packets()));
            return false;
        };
        assert_eq!(long.handle(decoded.unwrap().0), Ok(Event::from(usual)));
        assert_eq!((short.open_calls(), short.open_packets()), (long.open_calls(), long.open_packets()));
        assert_eq!(len, bytes.len());
        true
    }

    #[test]
    fn calls_above_the_limit_are_busy_and_not_open() {
        let mut inbound = inbound(2, 1, 1);
        for id in [9, 3] {
            assert!(matches!(inbound.handle(call(id)), Ok(Event::Usual(Usual::Call(_)))));
        }
        let busy = Event::Busy { to: ReplyTo::Native(5), stream: false };
        assert_eq!(inbound.handle(call(5)), Ok(busy.clone()));
        assert_eq!(inbound.handle(call(5)), Ok(busy), "a busy call is answered at once");
        assert_eq!(inbound.open_calls(), 2);
        inbound.call_finished(9);
        inbound.call_finished(9);
        assert!(matches!(inbound.handle(call(5)), Ok(Event::Usual(Usual::Call(_)))));
    }

    #[test]
    fn rejects_an_open_id_and_takes_it_when_answered() {
        let mut inbound = inbound(8, 1, 1);
        assert!(inbound.handle(call(7)).is_ok());
        assert_eq!(inbound.handle(call(7)), Err(Violation::DuplicateCall { id: 7 }));
        inbound.call_finished(7);
        assert!(inbound.handle(call(7)).is_ok());
    }

    #[test]
    fn rejects_id_zero() {
        let mut inbound = inbound(8, 1, 1);
        for frame in [call(0), Frame::Reply { id: 0, payload: b"" }, Frame::Cancel { id: 0 }] {
            assert!(matches!(inbound.handle(frame), Err(Violation::ZeroId { .. })));
        }
    }

    #[test]
    fn rejects_packets_beyond_the_credit() {
        let mut inbound = inbound(1, 2, 1000);
        for _ in 0..2 {
            assert!(matches!(
                inbound.handle(packet(b"x")),
                Ok(Event::Usual(Usual::Packet(Packet { frame_len: 4, .. })))
            ));
        }
        assert_eq!(inbound.open_packets(), 2);
        assert_eq!(inbound.handle(packet(b"x")), Err(Violation::NoCredit { packets: 2, bytes: 1000 }));
    }

    #[test]
    fn credit_comes_back_when_half_is_due() {
        let mut inbound = inbound(1, 4, 1000);
        let mut out = Vec::new();
        for _ in 0..4 {
            inbound.handle(packet(b"x")).unwrap();
        }
        inbound.packet_finished(4, &mut out);
        assert!(out.is_empty());
        inbound.packet_finished(4, &mut out);
        assert_eq!(decode(&out, 99).unwrap().unwrap().0, Frame::Credit { id: 0, packets: 2, bytes: 8 });
        assert_eq!(inbound.open_packets(), 2);
        assert!(inbound.handle(packet(b"x")).is_ok());
    }

    /// Whatever the window and the sizes: a sender that waits for credit gets some once everything is handled, and the
    /// receiver never disagrees with a sender that kept to it.
    #[test]
    fn both_ends_count_the_same_and_never_block() {
        for (packets, bytes) in [(1, 1), (1, 1000), (2, 7), (3, 50), (64, 100), (5, 100_000)] {
            let limits = *Limits::default().packets(packets).packet_bytes(bytes);
            let (mut outbound, mut inbound) =
                (Outbound::new(&limits), Inbound::new(&limits, &Direction { actions: &[] }));
            let mut waiting = Vec::new();
            for step in 0..2000_usize {
                let payload = vec![0; (step * 37) % 90];
                let mut wire = Vec::new();
                if outbound.packet(1, &payload, &mut wire).is_ok() {
                    let frame = decode(&wire, u32::MAX).unwrap().unwrap().0;
                    let Event::Usual(Usual::Packet(Packet { frame_len, .. })) = inbound.handle(frame).unwrap() else {
                        panic!("a packet")
                    };
                    waiting.push(frame_len);
                    continue;
                }
                let mut back = Vec::new();
                for frame_len in waiting.drain(..) {
                    inbound.packet_finished(frame_len, &mut back);
                }
                let mut rest = back.as_slice();
                while let Some((Frame::Credit { packets, bytes, .. }, used)) = decode(rest, 99).unwrap() {
                    outbound.handle_credit(packets, bytes).unwrap();
                    rest = &rest[used..];
                }
                assert!(outbound.can_send_packet(), "window {packets}/{bytes}, step {step}");
            }
        }
    }

    #[test]
    fn cancels_of_unknown_calls_are_ignored() {
        let mut inbound = inbound(1, 1, 1);
        assert_eq!(inbound.handle(Frame::Cancel { id: 4 }), Ok(Event::Ignored));
        inbound.handle(call(4)).unwrap();
        assert_eq!(inbound.handle(Frame::Cancel { id: 4 }), Ok(Event::Cancel { id: 4 }));
        assert_eq!(inbound.open_calls(), 1, "its answer is still owed");
    }

    #[test]
    fn rejects_handshake_frames_and_anything_after_close() {
        let mut inbound = inbound(1, 1, 1);
        assert_eq!(inbound.handle(Frame::Hello(b"")), Err(Violation::Handshake { frame: "HELLO" }));
        let close = Close::new(CloseCode::Normal, "bye");
        let event = Event::Close { code: CloseCode::Normal, retry: Retry::Unspecified, reason: "bye".into() };
        assert_eq!(inbound.handle(Frame::Close(close)), Ok(event));
        assert_eq!(inbound.handle(Frame::Ping { nonce: 1 }), Err(Violation::AfterClose { frame: "PING" }));
    }
}
