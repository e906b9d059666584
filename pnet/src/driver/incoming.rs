//! The driver's reading half: bytes to frames, frames to what they ask for.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet_protocol::{
    close::{CloseCode, close_for},
    connection::{Answer, Call, Event, Packet, ReplyTo},
    dialect::Dialect,
    failure::{Failure, code},
    frame::Mark,
    json::{Again, CallId, Named},
    protocol::{ReplyInfo, Role},
    reply::Verdict,
    wire::ReadError,
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Instant,
};

use super::{
    BEGUN_LEN, Begun, Driver, Odd, Reading, Stage,
    answers::Prepared,
    dispatch::{Arrived, Ended, Job, JobKind, Ran},
};
use crate::{
    buffers, config,
    connection::{Answering, Meta, micros_now},
    counts::{Met, Stopwatch},
    error::{Closed, ClosedBy},
};

impl Driver {
    /// One read, and every whole frame in it. Where that was all, another look at the transport has it wake the driver.
    pub(super) fn read(&mut self, task: &mut Context<'_>) -> Reading {
        if !self.read_once(task) {
            return Reading::Nothing;
        }
        let goes_on = matches!(self.stage, Stage::Open) && !self.eof && self.odd.stopped.is_none();
        if goes_on && !self.read_once(task) && self.odd.stopped.is_none() { Reading::All } else { Reading::Some }
    }

    /// `true` if anything came.
    fn read_once(&mut self, task: &mut Context<'_>) -> bool {
        if self.eof || matches!(self.stage, Stage::Leaving) {
            return false;
        }
        if std::mem::take(&mut self.unread) {
            let tail = std::mem::take(&mut self.tail);
            let used = self.handle(&tail, task);
            self.tail.extend_from_slice(tail.get(used..).unwrap_or_default());
            self.note_begun(used);
            return true;
        }
        if self.is_stopped(task) {
            return false;
        }
        let Some(io) = &mut self.io else { return false };
        // A long frame that has begun to arrive is read on where it is; anything else goes through the thread's buffer.
        let mut filled = self.tail.len();
        let own = filled >= buffers::READ_LEN / 2;
        let mut buffer = if own {
            let mut buffer = std::mem::take(&mut self.tail);
            buffer.resize(filled + buffers::READ_LEN, 0);
            buffer
        } else {
            let mut buffer = buffers::take_read();
            buffer[..filled].copy_from_slice(&self.tail);
            buffer
        };
        let mut space = ReadBuf::new(&mut buffer[filled..]);
        let polled = Pin::new(io).poll_read(task, &mut space);
        let read = space.filled().len();
        let progress = match polled {
            Poll::Pending => {
                if own {
                    buffer.truncate(filled);
                    self.tail = buffer;
                } else {
                    buffers::give_read(buffer);
                }
                return false;
            }
            Poll::Ready(Err(error)) => {
                self.broken(&error);
                true
            }
            Poll::Ready(Ok(())) if read == 0 => {
                self.ended(filled > 0);
                true
            }
            Poll::Ready(Ok(())) => {
                if self.odd.silent.is_some() {
                    self.odd.silent = None;
                    self.odd.tidy(Odd::is_over);
                }
                self.conn.counters.bytes_received.add(read as u64);
                self.tally.hear(|| *self.now.get_or_insert_with(Instant::now));
                if self.life.is_on() {
                    self.life.hear(self.now.get_or_insert_with(Instant::now).into_std());
                }
                filled += read;
                let used = self.handle(&buffer[..filled], task);
                self.tail.clear();
                if own {
                    buffer.truncate(filled);
                    buffer.drain(..used);
                    // A frame that was whole leaves its memory to others.
                    self.tail = if buffer.is_empty() { Vec::new() } else { buffer };
                    self.note_begun(used);
                    return true;
                }
                if used < filled {
                    self.tail.extend_from_slice(&buffer[used..filled]);
                } else {
                    self.tail = Vec::new();
                }
                self.note_begun(used);
                true
            }
        };
        if !own {
            buffers::give_read(buffer);
        }
        progress
    }

    /// Whether nothing is to be read for now, as the server holds too much already.
    fn is_stopped(&mut self, task: &Context<'_>) -> bool {
        let takes = matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. });
        let stop = takes && self.conn.is_tight() && self.conn.out().stop_reading(task.waker());
        if stop {
            self.odd.stopped.get_or_insert_with(Instant::now);
        } else if self.odd.stopped.is_some() {
            self.excuse_peer(Instant::now());
            self.odd.stopped = None;
        }
        stop
    }

    /// A frame that is not whole has its time; it starts again with each part worth mentioning.
    fn note_begun(&mut self, used: usize) {
        let len = self.tail.len();
        if len == 0 {
            self.forget_begun();
        } else if used > 0 || self.odd.begun.as_ref().is_none_or(|begun| len >= begun.len + BEGUN_LEN) {
            let since = *self.now.get_or_insert_with(Instant::now);
            self.odd.begun = Some(Begun { since, len });
        }
    }

    /// Nothing is begun any more.
    #[inline]
    pub(super) fn forget_begun(&mut self) {
        if self.odd.begun.is_some() {
            self.odd.begun = None;
        }
    }

    /// Handles the whole frames of `bytes`; how many bytes they were.
    fn handle(&mut self, bytes: &[u8], task: &Context<'_>) -> usize {
        let (mut used, mut last, mut prepared) = (0, Last::nothing(), Prepared::default());
        self.reader.begin();
        // What is read begins with the time, more often than not.
        if let Some((micros, len)) = self.reader.take_time(bytes) {
            self.created = system_time(micros);
            used = len;
        }
        while let Some(rest) = bytes.get(used..) {
            if !matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. }) {
                // The connection is ending: what still arrives is not looked at.
                return bytes.len();
            }
            // What comes again and again has a way of its own, which builds nothing between bytes and handler.
            if let Some((call, len)) = self.reader.read_call(rest) {
                used += len;
                self.handle_call(call, &mut last, task);
                self.check_mistakes();
                continue;
            }
            let replies = self.handle_replies(rest);
            if replies > 0 {
                used += replies;
                continue;
            }
            if let Some((packet, len)) = self.reader.take_packet(rest) {
                used += len;
                self.handle_packet(packet, &mut last, task);
                self.check_mistakes();
                continue;
            }
            if let Some((object, len)) = self.reader.again(bytes, used) {
                used += len;
                match object {
                    Again::Call(call) => self.handle_call_again(call, (&mut last, &mut prepared), task),
                    Again::Packet(packet) => self.handle_packet(packet, &mut last, task),
                    Again::Named(named) => used += self.handle_answers(&named, bytes, used),
                    _ => {}
                }
                self.check_mistakes();
                continue;
            }
            prepared.forget();
            match self.reader.next_at(bytes, used) {
                Ok(Some((event, len))) => {
                    used += len;
                    self.handle_event(event, task);
                    // It may have brought another time.
                    last = Last::nothing();
                    // At each frame: one read holds thousands, and every mistake is answered.
                    self.check_mistakes();
                }
                Ok(None) => break,
                Err(error) => self.give_up(&error),
            }
        }
        used
    }

    /// A call in a frame. Its handler runs at once, and the answer is encoded where it is written from.
    #[inline]
    fn handle_call(&mut self, call: Call<'_>, last: &mut Last, task: &Context<'_>) {
        let Call { id, action, info, timeout_ms, payload, .. } = call;
        self.conn.counters.calls_received.add(1);
        let timed = self.tally.count(action, &self.conn.trace);
        let (kind, to) = (JobKind::Call { id }, ReplyTo::Native(id));
        if !matches!(self.stage, Stage::Open) {
            self.reader.open_call(id);
            self.admit(action, (kind, timed), to, timeout_ms, payload, task);
            return;
        }
        self.engaged = true;
        let meta = last.meta((info.action, timeout_ms, true), || self.meta(info.action, timeout_ms, true));
        let mut mark = self.answers.begin(id);
        let outcome = match self.run_now(&Arrived { action, kind, to: &to, meta, timed, payload }, task) {
            Ran::Ended(outcome) => outcome,
            Ran::Waits => {
                self.follow(Some(&mut mark));
                self.answers.abandon(mark);
                self.reader.open_call(id);
                return;
            }
            Ran::Not => {
                self.answers.abandon(mark);
                let job = Job { action, kind, to, meta: meta.clone(), timed };
                self.reader.open_call(id);
                let (dispatch, mut ended) = self.split();
                dispatch.admit(job, payload, task.waker(), &mut ended);
                return;
            }
        };
        timed.stop(action, &self.conn.trace);
        self.follow(Some(&mut mark));
        let (outcome, payload) = match outcome {
            Ok(verdict) => match self.answers.finish(mark, verdict) {
                Ok(()) => return,
                Err(payload) => (Ok(verdict), payload),
            },
            Err(failure) => {
                self.answers.abandon(mark);
                (Err(failure), Vec::new())
            }
        };
        let job = Job { action, kind, to, meta: meta.clone(), timed: Stopwatch::NONE };
        self.split().1.ended_otherwise(&job, outcome, &payload);
    }

    /// A call in an object that repeats what was said before. It is entered only if it is not answered at once.
    #[inline]
    fn handle_call_again(&mut self, call: Call<'_>, (last, prepared): (&mut Last, &mut Prepared), task: &Context<'_>) {
        if self.reply_now(&call, last, prepared, task) {
            self.conn.counters.calls_received.add(1);
            return;
        }
        let event = self.reader.enter(call);
        self.handle_event(event, task);
    }

    /// Runs the handler of a call that is not entered, if it is a `fn`. Its answer is encoded where it is written from, as
    /// that of a call in a frame; `prepared` is how the answers before it were written.
    #[inline]
    fn reply_now(&mut self, call: &Call<'_>, last: &mut Last, prepared: &mut Prepared, task: &Context<'_>) -> bool {
        let Call { id, action, info, timeout_ms, payload, .. } = *call;
        if !matches!(self.stage, Stage::Open) || !self.dispatch.is_fn(action) {
            return false;
        }
        let Some(replies) = prepared.for_action(action, &self.conn) else { return false };
        self.engaged = true;
        let meta = last.meta((info.action, timeout_ms, true), || self.meta(info.action, timeout_ms, true));
        let to = ReplyTo::Json { id: Some(CallId::Number(u64::from(id))), action: Some(action) };
        // No call has the id 0.
        let kind = JobKind::Call { id: 0 };
        let mut start = replies.begin(self.answers.frames());
        let timed = self.tally.peek(&self.conn.trace);
        let Ran::Ended(outcome) = self.run_now(&Arrived { action, kind, to: &to, meta, timed, payload }, task) else {
            replies.abandon(start, self.answers.frames());
            return false;
        };
        timed.stop(action, &self.conn.trace);
        self.tally.count(action, &self.conn.trace);
        if let Some(overfull) = self.answers.follow_from(&mut start, &self.conn) {
            self.overfull = overfull;
        }
        let frames = self.answers.frames();
        if matches!(outcome, Ok(Verdict::Reply)) && replies.end(start, id, frames) {
            return true;
        }
        let payload = replies.abandon(start, frames);
        let job = Job { action, kind, to, meta: meta.clone(), timed: Stopwatch::NONE };
        self.split().1.ended_otherwise(&job, outcome, &payload);
        true
    }

    /// A call in an object, if its handler may run at once. `false`: it is to be admitted.
    #[inline]
    fn answer_now(
        &mut self,
        (id, action, timeout_ms): (u32, u16, u32),
        timed: Stopwatch,
        payload: &[u8],
        to: &ReplyTo,
        task: &Context<'_>,
    ) -> bool {
        let Some(info) = self.incoming.get(action) else { return false };
        let answered = !info.reply.is_stream() && !matches!(info.reply, ReplyInfo::None);
        if !answered || self.overfull || !matches!(self.stage, Stage::Open) {
            return false;
        }
        self.engaged = true;
        let (kind, meta) = (JobKind::Call { id }, self.meta(info.action, timeout_ms, true));
        let mut out = buffers::take();
        let arrived = Arrived { action, kind, to, meta: &meta, timed, payload };
        let ran = self.dispatch.run_now(&arrived, task.waker(), &mut out);
        let is_done = !matches!(ran, Ran::Not);
        if let Ran::Ended(outcome) = ran {
            timed.stop(action, &self.conn.trace);
            if outcome.is_ok() {
                self.reader.call_finished(id);
                let answering = Answering { to, action: info.action, stream: false };
                self.overfull = self.conn.answer(answering, &outcome, &out);
            } else {
                let job = Job { action, kind, to: to.clone(), meta, timed: Stopwatch::NONE };
                self.split().1.ended_otherwise(&job, outcome, &[]);
            }
        }
        buffers::give(out);
        is_done
    }

    /// A one-way packet, in a frame or in an object that repeats what was said before.
    #[inline]
    fn handle_packet(&mut self, packet: Packet<'_>, last: &mut Last, task: &Context<'_>) {
        let Packet { action, info, payload, frame_len, .. } = packet;
        self.conn.counters.packets_received.add(1);
        let timed = self.tally.count(action, &self.conn.trace);
        let (kind, to) = (JobKind::OneWay { frame_len }, self.reader.to_nobody());
        self.engaged = true;
        let meta = last.meta((info.action, 0, false), || self.meta(info.action, 0, false));
        let ran = if matches!(self.stage, Stage::Open) {
            self.run_now(&Arrived { action, kind, to: &to, meta, timed, payload }, task)
        } else {
            Ran::Not
        };
        let outcome = match ran {
            Ran::Ended(outcome) => outcome,
            Ran::Waits => {
                self.follow(None);
                return;
            }
            Ran::Not => {
                self.admit(action, (kind, timed), to, 0, payload, task);
                return;
            }
        };
        timed.stop(action, &self.conn.trace);
        self.follow(None);
        if outcome.is_ok() {
            // There is credit in frames only.
            let native = self.reader.dialect() == Dialect::Native;
            let out = if native { self.answers.frames() } else { self.answers.begun() };
            self.reader.packet_finished(frame_len, out);
            return;
        }
        let job = Job { action, kind, to, meta: meta.clone(), timed: Stopwatch::NONE };
        self.split().1.ended_otherwise(&job, outcome, &[]);
    }

    /// Runs a handler, if that may be done on the spot.
    #[inline]
    fn run_now(&mut self, arrived: &Arrived<'_>, task: &Context<'_>) -> Ran {
        if self.overfull { Ran::Not } else { self.dispatch.run_now(arrived, task.waker(), self.answers.begun()) }
    }

    /// What a handler has pushed stands before its answer, and behind those before it.
    #[inline]
    fn follow(&mut self, mark: Option<&mut Mark>) {
        if let Some(overfull) = self.answers.follow(mark, &self.conn) {
            self.overfull = overfull;
        }
    }

    /// What a handler learns beside its packet.
    #[inline]
    fn meta(&mut self, action: &'static str, timeout_ms: u32, call: bool) -> Meta {
        let deadline = (timeout_ms != 0)
            .then(|| *self.now.get_or_insert_with(Instant::now) + Duration::from_millis(u64::from(timeout_ms)));
        Meta { action, created: self.created, deadline, call, stream: None, key: None }
    }

    /// The peer's bytes have no meaning any more.
    fn give_up(&mut self, error: &ReadError) {
        if let ReadError::Violation(violation) = error {
            self.punish(violation);
            return;
        }
        let (code, reason) = close_for(error);
        if code == CloseCode::FrameTooLong {
            self.conn.trace.met(Met::MaxFrameLen);
        }
        tracing::warn!(%error, "the peer's bytes cannot be read");
        self.close(Closed::new(code, reason, ClosedBy::Here));
    }

    fn handle_event(&mut self, event: Event<'_>, task: &Context<'_>) {
        if self.reader.dialect() == Dialect::Json {
            self.created = self.reader.created().and_then(system_time);
            let form = self.reader.form();
            if form != self.form
                && let Some(known) = form
            {
                self.form = form;
                self.conn.out().set_form(known);
            }
        }
        match event {
            Event::Time { micros } => self.created = system_time(micros),
            Event::Packet { action, payload, frame_len } => {
                self.conn.counters.packets_received.add(1);
                let (timed, to) = (self.tally.count(action, &self.conn.trace), self.reader.to_nobody());
                self.admit(action, (JobKind::OneWay { frame_len }, timed), to, 0, payload, task);
            }
            Event::Call { id, action, timeout_ms, payload, to } => {
                self.conn.counters.calls_received.add(1);
                let timed = self.tally.count(action, &self.conn.trace);
                if self.answer_now((id, action, timeout_ms), timed, payload, &to, task) {
                    return;
                }
                self.admit(action, (JobKind::Call { id }, timed), to, timeout_ms, payload, task);
            }
            Event::Busy { to, stream } => {
                self.conn.counters.calls_received.add(1);
                self.conn.trace.met(if stream { Met::Streams } else { Met::Calls });
                self.refuse(&to, code::BUSY, "too many calls or streams are open");
            }
            Event::Refused { to, code, message } => self.refuse(&to, code, &message),
            // It may be long, and costs its peer little to ask for: who asks without reading what it gets is told so.
            Event::SchemaAsked { to, .. } if self.overfull => {
                self.refuse(&to, code::BUSY, "read what was sent before");
            }
            Event::SchemaAsked { to, shapes } => self.overfull = self.conn.tell_schema(&to, shapes),
            Event::Named(named) => self.handle_named(named, task),
            Event::Greeted { limits } => {
                self.set_heartbeat(self.reader.heartbeat_ms());
                let mut out = self.conn.out();
                if let Some(limits) = &limits {
                    out.writer.set_limits(limits);
                }
                // Nobody is welcomed before the connect handler has let it in.
                if matches!(self.stage, Stage::Joining { .. }) {
                    self.reader.greet(micros_now(), &mut self.odd.welcome);
                } else {
                    self.reader.greet(micros_now(), &mut out.buf);
                }
            }
            Event::Welcomed(text) => {
                let welcome = text.read();
                self.conn.out().welcomed(&welcome);
                self.set_heartbeat(welcome.heartbeat_ms);
            }
            Event::Answer { id, answer } => self.answered(id, &answer),
            Event::Item { id, payload, len } => {
                let arrived = self.conn.out().item_arrived(id, payload, len);
                if let Err(violation) = arrived {
                    self.punish(&violation);
                }
            }
            Event::StreamCredit { id, items, bytes } => {
                let credited = self.conn.out().stream_credit(id, items, bytes);
                if let Err(violation) = credited {
                    self.punish(&violation);
                }
            }
            Event::Cancel { id } => self.cancel(id),
            Event::Credit { packets, bytes } => {
                let credited = self.conn.out().credit(packets, bytes);
                if let Err(violation) = credited {
                    self.punish(&violation);
                }
            }
            // Only the newest matters, so a flood of pings makes one pong.
            Event::Ping { nonce } => self.pong = Some(nonce),
            Event::Pong { nonce } => {
                let now = *self.now.get_or_insert_with(Instant::now);
                let ponged = self.conn.out().ponged(nonce, now);
                if ponged {
                    self.conn.ponged();
                }
            }
            Event::Close { code, retry, reason } => self.dismissed(Closed::from_peer(code, retry, &reason)),
            _ => {}
        }
    }

    /// The replies that `bytes` begins with, all under one lock; how many bytes they were. Nobody is woken before all are
    /// there: who calls again then does so with the others.
    #[inline]
    fn handle_replies(&self, bytes: &[u8]) -> usize {
        let Some(first) = self.reader.take_reply(bytes) else { return 0 };
        let (mut next, mut used) = (Some(first), 0);
        let mut out = self.conn.lock();
        while let Some((id, payload, len)) = next {
            used += len;
            out.replied(id, payload);
            next = bytes.get(used..).and_then(|rest| self.reader.take_reply(rest));
        }
        out.unpark();
        used
    }

    /// A call of this side is answered; what has waited for its place may go.
    #[inline]
    fn answered(&self, id: u32, answer: &Answer<'_>) {
        let mut out = self.conn.out();
        out.answered(id, answer);
        out.unpark();
    }

    /// An answer in an object, and those that follow it in `bytes` at `at` and repeat what was said before, all under one lock
    /// as [`handle_replies`](Self::handle_replies); how many bytes those were.
    fn handle_answers(&mut self, first: &Named<'_>, bytes: &[u8], at: usize) -> usize {
        let mut used = 0;
        let mut out = self.conn.out();
        let mut answered = out.answered_by(first);
        while answered.is_ok()
            && let Some((named, len)) = self.reader.answer_again(bytes, at + used)
        {
            used += len;
            answered = out.answered_by(&named);
        }
        out.unpark();
        drop(out);
        if let Err(violation) = answered {
            self.punish(&violation);
        }
        used
    }

    /// A JSON handshake that came late says what is agreed on from now on.
    fn set_heartbeat(&mut self, millis: u32) {
        let every = config::every(millis);
        self.life.set(every, self.now.get_or_insert_with(Instant::now).into_std());
    }

    /// Answers what is no packet, or one too many, and counts the mistake.
    fn refuse(&mut self, to: &ReplyTo, code: &'static str, message: &str) {
        tracing::debug!(code, message, "refused");
        let answering = Answering { to, action: "", stream: false };
        self.overfull = self.conn.answer(answering, &Err(Failure::public(code, message)), &[]);
        self.odd.mistakes.count(Instant::now().into_std());
    }

    /// An object that may answer a call, or may be a packet.
    fn handle_named(&mut self, named: Named<'_>, task: &Context<'_>) {
        let answered = {
            let mut out = self.conn.out();
            let answered = out.answered_by(&named);
            out.unpark();
            answered
        };
        match answered {
            Err(violation) => self.punish(&violation),
            Ok(answered) if answered || named.re.is_some() => {}
            Ok(_) => match self.reader.packet(named) {
                Ok(event) => self.handle_event(event, task),
                Err(error) => self.give_up(&error),
            },
        }
    }

    /// Hands a packet or call to its handler, if this side knows the action.
    fn admit(
        &mut self,
        action: u16,
        (kind, timed): (JobKind, Stopwatch),
        to: ReplyTo,
        timeout_ms: u32,
        payload: &[u8],
        task: &Context<'_>,
    ) {
        self.engaged = true;
        let known = self.incoming.get(action);
        let call = matches!(kind, JobKind::Call { .. });
        let meta = self.meta(known.map_or("", |info| info.action), timeout_ms, call);
        // What is refused is not timed.
        let mut job = Job { action, kind, to, meta, timed: Stopwatch::NONE };
        let draining = self.refuses_work();
        let (dispatch, mut ended) = self.split();
        match known {
            None => {
                ended.odd.mistakes.count(Instant::now().into_std());
                let failure = Failure::public(code::UNKNOWN_ACTION, "this side knows no such action");
                ended.ended(&job, Err(failure), &[]);
            }
            Some(_) if draining => {
                if ended.conn.out().is_overfull() {
                    // It asks for more without having read what it got.
                    ended.odd.mistakes.count(Instant::now().into_std());
                }
                let failure = Failure::public(code::GOING_AWAY, "this side is shutting down and takes nothing new");
                ended.ended(&job, Err(failure), &[]);
            }
            Some(info) if call == matches!(info.reply, ReplyInfo::None) => {
                ended.odd.mistakes.count(Instant::now().into_std());
                let failure = if call {
                    Failure::public(code::NO_REPLY, "this action has no answer")
                } else {
                    Failure::public(code::MALFORMED, "this action is a call")
                };
                ended.ended(&job, Err(failure), &[]);
            }
            Some(info) => {
                job.timed = timed;
                if let JobKind::Call { id } = kind
                    && info.reply.is_stream()
                {
                    job.meta.stream = Some(ended.conn.out().open_producer(id, job.to.clone()));
                }
                dispatch.admit(job, payload, task.waker(), &mut ended);
            }
        }
    }

    /// Whether nothing new is taken. A client that ends goes on serving while it waits for answers itself: they may depend on
    /// it.
    #[inline]
    pub(super) fn refuses_work(&self) -> bool {
        matches!(self.stage, Stage::Draining { .. })
            && !(matches!(self.role, Role::Client) && self.conn.out().awaits_answers())
    }

    /// The caller does not wait any more. It is answered all the same: until then the call counts at both ends.
    fn cancel(&mut self, id: u32) {
        self.odd.cancellations.count(Instant::now().into_std());
        let cancelled = self.dispatch.cancel(JobKind::Call { id });
        // A handler that runs on learns that nobody reads what it produces.
        let stream = self.conn.out().close_producer(id);
        if cancelled {
            let to = self.reader.reply_to(id);
            self.reader.call_finished(id);
            let failure = Failure::public(code::CANCELLED, "the caller did not wait");
            self.overfull = self.conn.answer(Answering { to: &to, action: "", stream }, &Err(failure), &[]);
        }
    }
}

/// What the handler before has learnt beside its packet. As often as not it is that of the next one, too, and is not written
/// again: what was written just now would be copied before it has arrived.
struct Last {
    timeout_ms: u32,
    meta: Meta,
}

impl Last {
    const fn nothing() -> Self {
        Self { timeout_ms: 0, meta: Meta::none() }
    }

    /// The metadata of a packet of the same read, with these of an action, a timeout, and whether it is a call.
    #[inline]
    fn meta(&mut self, (action, timeout_ms, call): (&'static str, u32, bool), make: impl FnOnce() -> Meta) -> &Meta {
        let same = std::ptr::eq(self.meta.action, action) && self.timeout_ms == timeout_ms && self.meta.call == call;
        if !same {
            *self = Self { timeout_ms, meta: make() };
        }
        &self.meta
    }
}

/// The peer's clock, as far as this side can represent it.
fn system_time(micros: i64) -> Option<SystemTime> {
    let distance = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}
