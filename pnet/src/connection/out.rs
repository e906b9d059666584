//! What stands under a connection's one lock: the frames to be written, what waits for credit, the open calls.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::Waker,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use pnet_protocol::{
    close::{Close, CloseCode},
    connection::{Answer, Calls, MAX_CALLS, ReplyTo, SendRefused, Violation},
    failure::{Failure, code},
    json::{Form, JsonWelcome, Named},
    limits::Limits,
    protocol::ActionInfo,
    reply::Verdict,
    wire::{Reader, Writer},
};
use tokio::time::Instant;

use super::counters::Sent;
use crate::{
    buffers, config,
    error::{Closed, ClosedBy},
};

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct Out {
    /// Frames that go with the next write.
    pub(crate) buf: Vec<u8>,
    /// The calls this side has open. Their ids are the wire's.
    pub(crate) calls: Calls<CallSlot>,
    /// A close asked for by a handle.
    pub(crate) close: Option<Closed>,
    /// An end asked for by a handle that lets accepted work finish, until the given time at most.
    pub(crate) drain: Option<(Closed, Instant)>,
    /// The grace is over: drop what still runs.
    pub(crate) kill: bool,
    /// Why the connection is gone; nothing is accepted any more.
    pub(crate) gone: Option<Arc<Closed>>,
    /// Packets and calls of this side are refused; answers are not.
    pub(crate) suspended: bool,
    /// Packets and calls that have gone into `buf`.
    pub(crate) sent: Sent,
    /// The peer has ended its stream: it may still read, but answers nothing any more.
    deaf: Option<Arc<Closed>>,
    /// Incoming calls answered, and packets handled, outside of the driver.
    pub(crate) finished_calls: Vec<u32>,
    pub(crate) finished_packets: Vec<u32>,
    /// No open call's time is over before this.
    pub(crate) earliest: Option<Instant>,
    /// The driver's waker, and whether somebody is going to flush anyway.
    driver: Option<Waker>,
    busy: bool,
    /// What the peer still takes, and how it is written.
    writer: Writer,
    /// A peer that takes one packet at a time has read the last one by then.
    pub(crate) reads_until: Option<Instant>,
    /// Such a peer has not answered by then a call that its caller has given up.
    pub(crate) answers_until: Option<Instant>,
    /// Packets and calls that wait for credit, for a call's place or for room in `buf`; in order.
    parked: VecDeque<Parked>,
    parked_bytes: usize,
    /// Senders that wait for a place in `parked`, each with its ticket.
    room: Vec<(u64, Waker)>,
    tickets: u64,
    /// Whether this batch has its TIME frame: it holds a packet or a call.
    timed: bool,
    /// The peer closes connections that cancel too often, so this side does not.
    cancels: Cancels,
}

/// CANCEL frames of this side: in this batch, and in the second that began at `since`.
#[derive(Debug, Default)]
struct Cancels {
    in_batch: u32,
    in_second: u32,
    since: Option<Instant>,
}

/// One open call of this side.
#[derive(Debug)]
pub(crate) struct CallSlot {
    pub(crate) deadline: Option<Instant>,
    pub(crate) waker: Option<Waker>,
    pub(crate) state: CallState,
}

#[derive(Debug)]
pub(crate) enum CallState {
    /// Still among the parked.
    Parked,
    /// Handed to the transport, or about to be.
    Sent,
    /// Ended; the caller has not looked yet.
    Answered(AnswerBytes),
    /// Cancelled for the caller; the peer answers all the same, and until then the call counts.
    TimedOut { answer_due: bool },
    /// The caller has gone, the peer's answer is due.
    Abandoned,
    /// No answer can come any more.
    Lost { sent: bool },
}

impl CallState {
    /// Whether the caller has only to look.
    pub(crate) const fn has_ended(&self) -> bool {
        !matches!(self, Self::Parked | Self::Sent)
    }
}

/// An answer, copied out of the read buffer; its decoding is the caller's.
#[derive(Debug)]
pub(crate) enum AnswerBytes {
    Reply(Vec<u8>),
    Error(Vec<u8>),
    Failure { code: String, message: String },
}

impl AnswerBytes {
    fn copy(answer: &Answer<'_>) -> Self {
        match *answer {
            Answer::Reply(payload) => Self::Reply(payload.to_vec()),
            Answer::Error(payload) => Self::Error(payload.to_vec()),
            Answer::Failure { code, message } => Self::Failure { code: code.to_owned(), message: message.to_owned() },
            _ => Self::Failure { code: code::UNSUPPORTED.to_owned(), message: String::new() },
        }
    }
}

/// A frame that waits.
#[derive(Debug)]
struct Parked {
    frame: Bytes,
    /// The call's id and action; `None` for a one-way packet.
    call: Option<(u32, u16)>,
}

/// What became of a packet.
#[derive(Debug)]
pub(crate) enum Enqueued {
    /// It will be written; wake the driver with this.
    Taken(Option<Waker>),
    /// No room; ask again when woken.
    Full,
    /// Never: longer than the peer takes.
    TooLong { len: u64, max: u64 },
    /// Never: a peer of the old form takes nothing of that kind.
    Unsupported,
    /// Not while the connection is suspended.
    Suspended,
}

impl From<SendRefused> for Enqueued {
    fn from(refused: SendRefused) -> Self {
        match refused {
            SendRefused::TooLong { len, max } => Self::TooLong { len: len as u64, max: u64::from(max) },
            _ => Self::Full,
        }
    }
}

impl Out {
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            reads_until: writer.awaits_reading().then(|| Instant::now() + READING),
            answers_until: None,
            buf: Vec::new(),
            calls: Calls::new(),
            close: None,
            drain: None,
            kill: false,
            gone: None,
            suspended: false,
            sent: Sent::default(),
            deaf: None,
            finished_calls: Vec::new(),
            finished_packets: Vec::new(),
            earliest: None,
            driver: None,
            busy: false,
            writer,
            parked: VecDeque::new(),
            parked_bytes: 0,
            room: Vec::new(),
            tickets: 0,
            timed: false,
            cancels: Cancels::default(),
        }
    }

    /// Takes a one-way packet, given as its whole frame.
    pub(crate) fn packet(&mut self, frame: &[u8]) -> Enqueued {
        self.packet_or_park(frame, || Bytes::copy_from_slice(frame))
    }

    /// The same for a frame shared by many connections.
    pub(crate) fn shared_packet(&mut self, frame: &Bytes) -> Enqueued {
        self.packet_or_park(frame, || frame.clone())
    }

    fn packet_or_park(&mut self, frame: &[u8], keep: impl FnOnce() -> Bytes) -> Enqueued {
        if self.suspended {
            return Enqueued::Suspended;
        }
        if !self.writer.can_push() {
            return Enqueued::Unsupported;
        }
        if let Err(refused) = self.writer.check_packet(frame) {
            return refused.into();
        }
        if self.parked.is_empty() && self.writer.can_send_packet() && self.buf.len() < HIGH_WATER {
            self.write_packet(frame);
            return Enqueued::Taken(self.wake_driver());
        }
        if !self.has_room(frame.len()) {
            return Enqueued::Full;
        }
        self.park(Parked { frame: keep(), call: None });
        Enqueued::Taken(None)
    }

    /// Takes a call; on success the id of its slot comes back with the driver's waker.
    pub(crate) fn call(
        &mut self,
        (action, info): (u16, &ActionInfo),
        payload: &[u8],
        timeout_ms: u32,
        deadline: Option<Instant>,
        waker: &Waker,
    ) -> Result<(u32, Option<Waker>), Enqueued> {
        if self.suspended {
            return Err(Enqueued::Suspended);
        }
        if !self.writer.can_answer(info) {
            return Err(Enqueued::Unsupported);
        }
        self.writer.check_payload(payload.len())?;
        let direct = self.parked.is_empty() && self.writer.can_call() && self.buf.len() < HIGH_WATER;
        if !direct && !self.has_room(payload.len()) {
            return Err(Enqueued::Full);
        }
        let state = if direct { CallState::Sent } else { CallState::Parked };
        let Some(id) = self.calls.insert(CallSlot { deadline, waker: Some(waker.clone()), state }) else {
            return Err(Enqueued::Full);
        };
        let mut sooner = false;
        if let Some(deadline) = deadline {
            sooner = self.earliest.is_none_or(|earliest| deadline < earliest);
            self.earliest = Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        }
        let mut frame = buffers::take();
        self.writer.call_frame(id, info, action, timeout_ms, payload, &mut frame);
        if direct {
            self.begin_batch();
            self.sent.calls += 1;
            self.writer.call(&frame, id, action, &mut self.buf);
            buffers::give(frame);
        } else {
            self.park(Parked { frame: frame.into(), call: Some((id, action)) });
        }
        // A driver that sleeps until a later time has to know, also of a parked call, also while a write is refused.
        Ok((id, if sooner { self.wake_anyway() } else { self.wake_driver() }))
    }

    /// The caller has gone: the peer's handler is told to stop. The place is free once the peer has answered even so.
    pub(crate) fn cancel_call(&mut self, id: u32, wakers: &mut Vec<Waker>) {
        let Some(slot) = self.calls.get_mut(id) else { return };
        match slot.state {
            CallState::Sent if self.gone.is_none() && self.deaf.is_none() => {
                slot.state = CallState::Abandoned;
                slot.waker = None;
                if self.writer.is_one_by_one() {
                    self.answers_until = Some(Instant::now() + config::CALL);
                    wakers.extend(self.wake_anyway());
                }
                self.write_cancel(id);
                wakers.extend(self.wake_driver());
            }
            CallState::TimedOut { answer_due: true } => slot.state = CallState::Abandoned,
            CallState::Abandoned => {}
            CallState::Parked => {
                self.calls.remove(id);
                if let Some(index) =
                    self.parked.iter().position(|parked| parked.call.is_some_and(|(parked, _)| parked == id))
                {
                    self.parked_bytes -= self.parked.remove(index).map_or(0, |parked| parked.frame.len());
                }
                // What was behind it may have waited for nothing else.
                self.unpark(wakers);
                if !self.buf.is_empty() {
                    wakers.extend(self.wake_driver());
                }
            }
            _ => {
                self.calls.remove(id);
            }
        }
    }

    /// The outcome of a call, for its caller; `None` while there is none.
    pub(crate) fn take_outcome(&mut self, id: u32, waker: &Waker, wakers: &mut Vec<Waker>) -> Option<CallState> {
        let Some(slot) = self.calls.get_mut(id) else { return Some(CallState::Lost { sent: true }) };
        if !slot.state.has_ended() {
            if !slot.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                slot.waker = Some(waker.clone());
            }
            return None;
        }
        if matches!(slot.state, CallState::TimedOut { answer_due: true }) {
            return Some(std::mem::replace(&mut slot.state, CallState::Abandoned));
        }
        if self.calls.len() >= MAX_CALLS {
            // Somebody may wait for nothing but a free slot.
            wakers.extend(self.room.drain(..).map(|(_, waker)| waker));
        }
        self.calls.remove(id).map(|slot| slot.state)
    }

    /// An answer has come; the caller's waker, if it is still there. An answer to no call is ignored.
    pub(crate) fn answered(&mut self, id: u32, answer: &Answer<'_>) -> Option<Waker> {
        let slot = self.calls.get_mut(id)?;
        let waker = match slot.state {
            CallState::Sent => {
                slot.state = CallState::Answered(AnswerBytes::copy(answer));
                slot.waker.take()
            }
            CallState::TimedOut { answer_due: true } => {
                slot.state = CallState::TimedOut { answer_due: false };
                None
            }
            CallState::Abandoned => {
                self.calls.remove(id);
                None
            }
            _ => return None,
        };
        self.answers_until = None;
        self.writer.call_ended(id);
        waker
    }

    /// The same for an object, which may turn out to be no answer: `None`.
    pub(crate) fn answered_by(&mut self, named: &Named<'_>) -> Option<Option<Waker>> {
        let (id, answer) = self.writer.answered(named)?;
        Some(self.answered(id, &answer.as_answer()))
    }

    /// Ends the calls whose time is over. Collects wakers, to be woken outside of the lock.
    pub(crate) fn expire_calls(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        let mut earliest: Option<Instant> = None;
        let mut cancelled = Vec::new();
        for (id, slot) in self.calls.iter_mut() {
            if slot.state.has_ended() {
                continue;
            }
            match slot.deadline {
                Some(deadline) if deadline <= now => {
                    let answer_due = matches!(slot.state, CallState::Sent);
                    if answer_due {
                        cancelled.push(id);
                    }
                    slot.state = CallState::TimedOut { answer_due };
                    wakers.extend(slot.waker.take());
                }
                Some(deadline) => earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline))),
                None => {}
            }
        }
        self.earliest = earliest;
        if !cancelled.is_empty() && self.writer.is_one_by_one() {
            self.answers_until = Some(now + config::CALL);
        }
        for id in cancelled {
            self.write_cancel(id);
        }
    }

    pub(crate) fn credit(&mut self, packets: u32, bytes: u32) -> Result<(), Violation> {
        self.writer.handle_credit(packets, bytes)
    }

    /// The other side of a JSON connection has shown what it is.
    pub(crate) const fn set_form(&mut self, form: Form) {
        self.writer.set_form(form);
    }

    /// A JSON server's handshake came after the connection was opened without.
    pub(crate) fn welcomed(&mut self, welcome: &JsonWelcome) {
        self.writer.welcomed(welcome);
        // It may turn out to take one packet at a time only now, after it was sent some and has answered none.
        if self.writer.awaits_reading() {
            self.reads_until = Some(Instant::now() + READING);
        }
        let given_up =
            |state: &CallState| matches!(state, CallState::TimedOut { answer_due: true } | CallState::Abandoned);
        if self.writer.is_one_by_one() && self.calls.iter_mut().any(|(_, slot)| given_up(&slot.state)) {
            self.answers_until.get_or_insert_with(|| Instant::now() + config::CALL);
        }
    }

    /// A JSON client has said what it takes.
    pub(crate) const fn set_limits(&mut self, peer: &Limits) {
        self.writer.set_limits(peer);
    }

    /// A JSON client asks for its handshake.
    pub(crate) fn greet(&mut self, reader: &mut Reader) {
        reader.greet(micros_now(), &mut self.buf);
    }

    /// Ends the connection if the peer's answers cannot be told apart any more. A peer that ties no answer to its call, and
    /// has not answered one that was given up, may still do so: then it would be taken for the answer to the next one.
    pub(crate) fn give_up_by(&mut self, now: Instant) {
        if self.answers_until.is_some_and(|until| until <= now) && self.close.is_none() {
            self.answers_until = None;
            let reason = "a call was not answered, and a late answer could not be told from the next call's";
            self.close = Some(Closed::new(CloseCode::Timeout, reason, ClosedBy::Here));
        }
    }

    /// A peer that takes one packet at a time has had time to read the last one.
    pub(crate) fn read_by(&mut self, now: Instant) {
        if self.reads_until.is_some_and(|until| until <= now) {
            self.reads_until = None;
            self.writer.was_read();
        }
    }

    /// Writes the sign of life that was asked for.
    pub(crate) fn write_pong(&mut self, nonce: Option<u64>) {
        self.date();
        self.writer.pong(nonce, &mut self.buf);
    }

    /// Writes this side's last words; `alone` if nothing else is on its way.
    pub(crate) fn write_close(&mut self, close: Close<'_>, alone: bool) {
        self.date();
        let alone = alone && self.buf.is_empty();
        self.writer.close(close, alone, &mut self.buf);
    }

    /// Writes the answer to an incoming call. An answer longer than the peer takes becomes a failure.
    pub(crate) fn write_answer(
        &mut self,
        to: &ReplyTo,
        outcome: &Result<Verdict, Failure>,
        payload: &[u8],
        action: &str,
    ) {
        let answer = match outcome {
            Ok(Verdict::Reply) => Answer::Reply(payload),
            Ok(Verdict::Error) => Answer::Error(payload),
            Ok(_) => Answer::Failure { code: code::INTERNAL, message: "the handler gave no answer" },
            Err(failure) => Answer::Failure { code: failure.code(), message: failure.message() },
        };
        self.date();
        if let Err(refused) = self.writer.answer(to, answer, &mut self.buf) {
            tracing::error!(action, %refused, "the answer is longer than the peer takes");
            let answer = Answer::Failure { code: code::TOO_LONG, message: &refused.to_string() };
            let told = self.writer.answer(to, answer, &mut self.buf);
            debug_assert!(told.is_ok(), "a failure is short: {told:?}");
        }
    }

    /// Moves what now may go from the parked to the buffer, and tells waiting senders of room. Call it whenever credit
    /// came, a call ended or the buffer was taken.
    pub(crate) fn unpark(&mut self, wakers: &mut Vec<Waker>) {
        while self.buf.len() < HIGH_WATER {
            let Some(front) = self.parked.front() else { break };
            let may_go = match front.call {
                Some((id, _)) => match self.calls.get_mut(id) {
                    Some(slot) if matches!(slot.state, CallState::Parked) => self.writer.can_call(),
                    // Dropped or timed out before it was sent.
                    _ => {
                        self.unpark_front();
                        continue;
                    }
                },
                None => self.writer.can_send_packet(),
            };
            if !may_go {
                break;
            }
            let Some(parked) = self.unpark_front() else { break };
            match parked.call {
                Some((id, action)) => {
                    self.begin_batch();
                    self.sent.calls += 1;
                    self.writer.call(&parked.frame, id, action, &mut self.buf);
                    if let Some(slot) = self.calls.get_mut(id) {
                        slot.state = CallState::Sent;
                    }
                }
                None => self.write_packet(&parked.frame),
            }
        }
        if !self.room.is_empty() && self.has_room(0) {
            wakers.extend(self.room.drain(..).map(|(_, waker)| waker));
        }
    }

    /// Takes the frames to be written, leaving `empty` in their place. `false`: there are none, and nobody will flush
    /// until somebody wakes the driver.
    pub(crate) fn take_batch(&mut self, empty: &mut Vec<u8>) -> bool {
        self.timed = false;
        self.writer.end_batch();
        self.cancels.in_batch = 0;
        if self.buf.is_empty() {
            self.busy = false;
            return false;
        }
        std::mem::swap(&mut self.buf, empty);
        true
    }

    /// The driver runs: it will flush, nobody needs to wake it.
    pub(crate) fn driver_runs(&mut self, waker: &Waker) {
        self.busy = true;
        if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(waker)) {
            self.driver = Some(waker.clone());
        }
    }

    /// The driver's waker, whatever it does now: for what does not concern the buffer. A turn that has begun may not see
    /// it any more, and a write that is refused may last.
    pub(crate) fn wake_anyway(&mut self) -> Option<Waker> {
        self.busy = true;
        self.driver.clone()
    }

    /// Whether something was left for the driver since it looked last.
    pub(crate) fn has_requests(&self) -> bool {
        self.close.is_some()
            || self.drain.is_some()
            || !self.finished_calls.is_empty()
            || !self.finished_packets.is_empty()
    }

    /// The driver's waker, unless somebody is going to flush anyway.
    pub(crate) fn wake_driver(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.busy, true) { None } else { self.driver.clone() }
    }

    /// Queues up for room. The ticket is the sender's, who gives it back if it does not wait any more.
    pub(crate) fn wait_for_room(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        let number = *ticket.get_or_insert_with(|| {
            self.tickets += 1;
            self.tickets
        });
        match self.room.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => known.clone_from(waker),
            None => self.room.push((number, waker.clone())),
        }
    }

    pub(crate) fn leave_queue(&mut self, ticket: u64) {
        self.room.retain(|(known, _)| *known != ticket);
    }

    /// The driver is about to sleep without taking the buffer: from now on it wants to be woken. `true`: there is
    /// a packet or a call in the buffer already.
    pub(crate) const fn rest(&mut self) -> bool {
        self.busy = false;
        self.timed
    }

    /// Whether everything accepted has been handed to the driver, and no caller waits.
    pub(crate) fn is_drained(&mut self) -> bool {
        self.buf.is_empty() && self.parked.is_empty() && !self.awaits_answers()
    }

    /// Why no call can be answered, if that is so.
    pub(crate) fn unanswerable(&self) -> Option<&Arc<Closed>> {
        self.gone.as_ref().or(self.deaf.as_ref())
    }

    /// The peer will not answer any more: fails the open calls.
    pub(crate) fn deafen(&mut self, closed: &Arc<Closed>, wakers: &mut Vec<Waker>) {
        self.deaf = Some(Arc::clone(closed));
        self.parked.retain(|parked| parked.call.is_none());
        self.parked_bytes = self.parked.iter().map(|parked| parked.frame.len()).sum();
        wakers.extend(self.room.drain(..).map(|(_, waker)| waker));
        self.lose_calls(wakers);
    }

    /// Whether a call of this side waits for its answer.
    pub(crate) fn awaits_answers(&mut self) -> bool {
        self.calls.iter_mut().any(|(_, slot)| !slot.state.has_ended())
    }

    /// Whether so much waits to be written that no new work should be started.
    pub(crate) const fn is_overfull(&self) -> bool {
        self.buf.len() >= HOLD_ABOVE
    }

    pub(crate) fn set_gone(&mut self, closed: &Arc<Closed>, wakers: &mut Vec<Waker>) {
        self.gone = Some(Arc::clone(closed));
        self.parked.clear();
        self.parked_bytes = 0;
        wakers.extend(self.room.drain(..).map(|(_, waker)| waker));
        self.lose_calls(wakers);
    }

    /// From now on, packets and calls are refused, or are taken again. Those that were taken before go their way.
    pub(crate) fn set_suspended(&mut self, suspended: bool, wakers: &mut Vec<Waker>) {
        self.suspended = suspended;
        if suspended {
            wakers.extend(self.room.drain(..).map(|(_, waker)| waker));
        }
    }

    fn lose_calls(&mut self, wakers: &mut Vec<Waker>) {
        for (_, slot) in self.calls.iter_mut() {
            slot.state = match std::mem::replace(&mut slot.state, CallState::Lost { sent: false }) {
                CallState::Parked => CallState::Lost { sent: false },
                CallState::Sent => CallState::Lost { sent: true },
                ended => ended,
            };
            wakers.extend(slot.waker.take());
        }
    }

    /// Accepts a packet into the buffer. The caller has checked credit and length.
    fn write_packet(&mut self, frame: &[u8]) {
        self.begin_batch();
        self.sent.packets += 1;
        let written = self.writer.packet(frame, &mut self.buf);
        debug_assert!(written.is_ok(), "credit and length were checked: {written:?}");
        if self.writer.awaits_reading() {
            self.reads_until = Some(Instant::now() + READING);
        }
    }

    /// The first packet or call of a batch is preceded by the time.
    fn begin_batch(&mut self) {
        if !self.timed {
            self.timed = true;
            self.writer.begin_batch(micros_now(), &mut self.buf);
        }
    }

    /// Anything else may need the time, too.
    fn date(&mut self) {
        if self.writer.needs_time() {
            self.writer.begin_batch(micros_now(), &mut self.buf);
        }
    }

    /// Tells the peer that nobody waits for a call, unless too much of that was told already: then the handler runs on.
    fn write_cancel(&mut self, id: u32) {
        let now = Instant::now();
        if self.cancels.since.is_none_or(|since| now.duration_since(since) >= SECOND) {
            self.cancels = Cancels { in_second: 0, since: Some(now), ..self.cancels };
        }
        if self.cancels.in_batch < CANCELS && self.cancels.in_second < CANCELS {
            self.cancels.in_batch += 1;
            self.cancels.in_second += 1;
            self.date();
            self.writer.cancel(id, &mut self.buf);
        }
    }

    fn park(&mut self, parked: Parked) {
        self.parked_bytes += parked.frame.len();
        self.parked.push_back(parked);
    }

    fn unpark_front(&mut self) -> Option<Parked> {
        let parked = self.parked.pop_front()?;
        self.parked_bytes -= parked.frame.len();
        Some(parked)
    }

    /// An empty queue takes any frame, so one that is longer than the whole queue can still be sent.
    fn has_room(&self, len: usize) -> bool {
        self.parked.is_empty()
            || self.parked.len() < QUEUE_PACKETS && self.buf.len() + self.parked_bytes + len <= QUEUE_BYTES
    }
}

/// The time as the wire has it.
pub(crate) fn micros_now() -> i64 {
    micros_since_1970(SystemTime::now())
}

/// Microseconds since 1970, negative before; saturating.
fn micros_since_1970(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

/// The out-buffer is not filled beyond this; what comes later is parked.
const HIGH_WATER: usize = 256 * 1024;
/// New work is not started while this much waits to be written.
const HOLD_ABOVE: usize = 1024 * 1024;
/// Bounds of what is queued for one connection: bytes in all, and packets that wait.
const QUEUE_BYTES: usize = 1024 * 1024;
const QUEUE_PACKETS: usize = 1024;
/// How long a peer that takes one packet at a time, and does not answer it, may need to read it.
const READING: Duration = Duration::from_secs(1);
/// Half of what a peer takes in a second, as its seconds are not this side's.
const CANCELS: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);
