//! The driver's reading half: bytes to frames, frames to what they ask for.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet_protocol::{
    close::{CloseCode, close_for},
    connection::{Answer, Call, Event, Named, Packet, ReplyTo, Usual},
    dialect::Dialect,
    failure::{Failure, code},
    protocol::{ReplyInfo, Role},
    wire::ReadError,
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Instant,
};

use super::{
    BEGUN_LEN, Begun, Driver, Odd, Reading, Stage,
    dispatch::{Answering as _, Job, JobKind},
};
use crate::{
    buffers, config,
    connection::{Addressed, Meta, micros_now},
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

    /// Handles the whole frames or objects of `bytes`; how many bytes they were.
    fn handle(&mut self, bytes: &[u8], task: &Context<'_>) -> usize {
        let (mut used, mut last) = (0, Last::nothing());
        self.reader.begin();
        self.answers.begin_read();
        loop {
            if !matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. }) {
                // The connection is ending: what still arrives is not looked at.
                used = bytes.len();
                break;
            }
            // What comes again and again has a short way, which takes what is in order and leaves all else to the general one.
            if let Some((usual, len)) = self.reader.usual(bytes, used) {
                used += len;
                used += self.handle_usual(usual, (bytes, used), &mut last, task);
            } else {
                self.answers.forget();
                match self.reader.next_at(bytes, used) {
                    Ok(Some((event, len))) => {
                        used += len;
                        // It may have brought another time.
                        last.forget();
                        self.handle_event(event, &mut last, task);
                    }
                    Ok(None) => break,
                    Err(error) => self.give_up(&error),
                }
            }
            // At each of them: one read holds thousands, and every mistake is answered.
            self.check_mistakes();
        }
        self.answers.end_read();
        used
    }

    /// Handles what comes again and again, whichever way it was read. If it was an answer, those that `bytes` at `at` begin with
    /// are handled with it: how many bytes they were.
    #[inline(always)]
    fn handle_usual<'a>(
        &mut self,
        usual: Usual<'a>,
        (bytes, at): (&'a [u8], usize),
        last: &mut Last,
        task: &Context<'_>,
    ) -> usize {
        let (kind, action, timeout_ms, payload) = match usual {
            Usual::Call(Call { id, action, timeout_ms, payload, .. }) => {
                self.conn.counters.calls_received.add(1);
                (JobKind::Call { id }, action, timeout_ms, payload)
            }
            Usual::Packet(Packet { action, payload, frame_len, .. }) => {
                self.conn.counters.packets_received.add(1);
                (JobKind::OneWay { frame_len }, action, 0, payload)
            }
            Usual::Time { micros } => {
                self.created = system_time(micros);
                last.forget();
                return 0;
            }
            answer => return self.handle_answers(answer, bytes, at),
        };
        self.admit(Arrived { kind, action, timeout_ms, payload }, last, task);
        0
    }

    /// Hands a packet or call to its handler; or answers it, if there is anything against it.
    #[inline(always)]
    fn admit(&mut self, arrived: Arrived<'_>, last: &mut Last, task: &Context<'_>) {
        let Arrived { kind, action, timeout_ms, payload } = arrived;
        self.engaged = true;
        let call = matches!(kind, JobKind::Call { .. });
        let known = self.incoming.get(action);
        if !last.is_like(action, timeout_ms, call) {
            last.job.meta = self.meta(known.map_or("", |info| info.action), timeout_ms, call);
            (last.job.action, last.timeout_ms, last.holds) = (action, timeout_ms, true);
        }
        let job = &mut last.job;
        job.kind = kind;
        job.to = self.reader.to(kind.call());
        job.timed = self.tally.count(action, &self.conn.trace);
        let Some(info) = known.filter(|info| call != matches!(info.reply, ReplyInfo::None) && !self.refuses_work())
        else {
            self.turn_away(job, known.is_some());
            return;
        };
        if let JobKind::Call { id } = kind
            && info.reply.is_stream()
        {
            job.meta.stream = Some(self.conn.out().open_producer(id, job.to.clone()));
        }
        let (dispatch, mut sink) = self.split();
        dispatch.admit(job, payload, task.waker(), &mut sink);
    }

    /// Answers what no handler is given. What is refused is not timed.
    #[cold]
    fn turn_away(&mut self, job: &mut Job, is_known: bool) {
        job.timed = Stopwatch::NONE;
        let (code, message) = if !is_known {
            (code::UNKNOWN_ACTION, "this side knows no such action")
        } else if self.refuses_work() {
            (code::GOING_AWAY, "this side is shutting down and takes nothing new")
        } else if job.meta.call {
            (code::NO_REPLY, "this action has no answer")
        } else {
            (code::MALFORMED, "this action is a call")
        };
        // While this side shuts down it is one only to ask for more without having read what one got.
        if code != code::GOING_AWAY || self.conn.out().is_overfull() {
            self.odd.mistakes.count(Instant::now().into_std());
        }
        self.split().1.fail(job, Failure::public(code, message));
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

    #[inline(never)]
    fn handle_event(&mut self, event: Event<'_>, last: &mut Last, task: &Context<'_>) {
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
            Event::Usual(usual) => {
                self.handle_usual(usual, (&[], 0), last, task);
            }
            Event::Named(named) => self.handle_named(named, last, task),
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

    /// A call of this side is answered; what has waited for its place may go.
    #[inline]
    fn answered(&self, id: u32, answer: &Answer<'_>) {
        let mut out = self.conn.out();
        out.answered(id, answer);
        out.unpark();
    }

    /// An answer, and those that follow it in `bytes` at `at`, all under one lock; how many bytes those were. Nobody is woken
    /// before all are there: who calls again then does so with the others.
    fn handle_answers<'a>(&mut self, first: Usual<'a>, bytes: &'a [u8], at: usize) -> usize {
        let (mut next, mut used, mut answered) = (Some(first), 0, Ok(true));
        let mut out = self.conn.lock();
        while let Some(answer) = next.take() {
            match answer {
                Usual::Reply { id, payload } => out.replied(id, payload),
                Usual::Object { re, action, data, len } => {
                    answered = out.answered_by(&Named::answer(re, action, data, len))
                }
                _ => {}
            }
            if answered.is_ok()
                && let Some((answer, len)) = self.reader.reply(bytes, at + used)
            {
                used += len;
                next = Some(answer);
            }
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
        let answer = Addressed { to, action: "", stream: false };
        self.overfull = self.conn.answer(answer, &Err(Failure::public(code, message)), &[]);
        self.odd.mistakes.count(Instant::now().into_std());
    }

    /// An object that may answer a call, or may be a packet.
    fn handle_named(&mut self, named: Named<'_>, last: &mut Last, task: &Context<'_>) {
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
                Ok(event) => self.handle_event(event, last, task),
                Err(error) => self.give_up(&error),
            },
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
            let to = self.reader.to(Some(id));
            self.reader.call_finished(id);
            let failure = Failure::public(code::CANCELLED, "the caller did not wait");
            self.overfull = self.conn.answer(Addressed { to: &to, action: "", stream }, &Err(failure), &[]);
        }
    }
}

/// A packet or call on its way to its handler.
struct Arrived<'a> {
    kind: JobKind,
    action: u16,
    timeout_ms: u32,
    /// The read buffer's.
    payload: &'a [u8],
}

/// The job before. As often as not, what its handler has learnt beside its packet is what the next one learns, too, and is not
/// written again: what was written just now would be copied before it has arrived.
struct Last {
    job: Job,
    timeout_ms: u32,
    holds: bool,
}

impl Last {
    const fn nothing() -> Self {
        let (kind, to) = (JobKind::OneWay { frame_len: 0 }, ReplyTo::Nobody);
        let job = Job { action: 0, kind, to, meta: Meta::none(), timed: Stopwatch::NONE };
        Self { job, timeout_ms: 0, holds: false }
    }

    /// What was learnt holds no more.
    const fn forget(&mut self) {
        self.holds = false;
    }

    /// Whether the metadata of the job before is that of this one, too.
    #[inline]
    const fn is_like(&self, action: u16, timeout_ms: u32, call: bool) -> bool {
        let job = &self.job;
        self.holds
            && job.action == action
            && self.timeout_ms == timeout_ms
            && job.meta.call == call
            && job.meta.stream.is_none()
    }
}

/// The peer's clock, as far as this side can represent it.
fn system_time(micros: i64) -> Option<SystemTime> {
    let distance = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}
