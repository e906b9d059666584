//! The calls this side has open: how they are queued, given up, answered, and how they end without an answer.

use std::{fmt, sync::Arc, task::Waker, time::Duration};

use pnet_protocol::{
    connection::{Answer, Calls, MAX_CALLS, Violation},
    failure::code,
    json::{CallText, Named, NamedAnswer},
    protocol::ActionInfo,
    secret::Hidden,
};
use tokio::time::Instant;

use super::{CallRefused, Out, queue::Parked, streams::Consumer};
use crate::{
    counts::{Met, Stopwatch, Which},
    error::Closed,
    seldom::Empty,
};

/// The calls that this side has open. Their ids are the wire's.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(super) calls: Calls<CallSlot>,
    shorts: Shorts,
    /// When the batch was begun that gathers now: the time of all its calls.
    pub(super) batch_time: Option<Instant>,
    /// No open call's time is over before this.
    pub(super) earliest: Option<Instant>,
    /// What the calls of a batch have in common where they are objects.
    pub(super) text: CallText,
}

impl Empty for Asked {
    const EMPTY: Self = Self {
        calls: Calls::new(),
        shorts: Shorts(Vec::new()),
        batch_time: None,
        earliest: None,
        text: CallText::new(),
    };
    const READ: &'static Self = &Self::EMPTY;
}

/// One open call of this side.
#[derive(Debug)]
pub(crate) struct CallSlot {
    pub(crate) deadline: Option<Instant>,
    pub(crate) waker: Option<Waker>,
    pub(crate) state: CallState,
    /// Whether it opens a stream.
    pub(super) stream: bool,
    /// What has come of the stream, as long as somebody wants it.
    pub(super) consumer: Option<Box<Consumer>>,
    /// Whether the peer is still to be told that nobody waits.
    cancel_due: bool,
    /// What is called.
    pub(super) which: Which,
    pub(super) timed: Stopwatch,
}

impl CallSlot {
    /// Before anything is known of it.
    const NEW: Self = Self {
        deadline: None,
        waker: None,
        state: CallState::Parked,
        stream: false,
        consumer: None,
        cancel_due: false,
        which: Which::new(0),
        timed: Stopwatch::NONE,
    };

    /// Whether the peer has it open, or will have.
    pub(super) const fn is_open(&self) -> bool {
        matches!(
            self.state,
            CallState::Parked | CallState::Sent | CallState::Abandoned | CallState::TimedOut { answer_due: true }
        )
    }

    /// What has come of the stream, if it is one.
    pub(super) fn consumer(&mut self) -> Option<&mut Consumer> {
        self.consumer.as_deref_mut()
    }
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
    Reply(Payload),
    Error(Payload),
    /// The end of a stream.
    End,
    Failure(Box<Told>),
}

/// The payload of an answer.
pub(crate) enum Payload {
    /// So many bytes in the slot's place among the [`Shorts`].
    Short(u8),
    Long(Vec<u8>),
}

/// Why a call was not answered as declared, as the peer says.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Payloads of short answers, a place for each slot: used again and again, and moved twice only.
pub(super) struct Shorts(Vec<Short>);

/// A short payload.
pub(crate) type Short = [u8; SHORT_LEN];

impl Shorts {
    fn keep(&mut self, id: u32, payload: &[u8]) -> Payload {
        self.put(id, payload).unwrap_or_else(|| Payload::Long(payload.to_vec()))
    }

    /// Keeps a payload that is short.
    #[inline]
    fn put(&mut self, id: u32, payload: &[u8]) -> Option<Payload> {
        let (place, len) = (Calls::<CallSlot>::place_of(id), u8::try_from(payload.len()).ok()?);
        if payload.len() > SHORT_LEN {
            return None;
        }
        if self.0.len() <= place {
            self.0.resize(place + 1, [0; SHORT_LEN]);
        }
        self.0.get_mut(place)?.get_mut(..payload.len())?.copy_from_slice(payload);
        Some(Payload::Short(len))
    }

    fn copy(&self, id: u32, short: &mut Short) {
        if let Some(kept) = self.0.get(Calls::<CallSlot>::place_of(id)) {
            *short = *kept;
        }
    }
}

impl Payload {
    /// The bytes, which are in `short` if they are few.
    pub(crate) fn bytes<'a>(&'a self, short: &'a Short) -> &'a [u8] {
        match self {
            Self::Short(len) => short.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(payload) => payload,
        }
    }
}

impl AnswerBytes {
    fn copy(answer: &Answer<'_>, id: u32, shorts: &mut Shorts) -> Self {
        let told = |code: &str, message: &str| {
            Self::Failure(Box::new(Told { code: code.to_owned(), message: message.to_owned() }))
        };
        match *answer {
            Answer::Reply(payload) => Self::Reply(shorts.keep(id, payload)),
            Answer::Error(payload) => Self::Error(shorts.keep(id, payload)),
            Answer::End => Self::End,
            Answer::Failure { code, message } => told(code, message),
            _ => told(code::UNSUPPORTED, ""),
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hidden(match self {
            Self::Short(len) => usize::from(*len),
            Self::Long(payload) => payload.len(),
        })
        .fmt(f)
    }
}

impl fmt::Debug for Shorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shorts").finish_non_exhaustive()
    }
}

/// When a call's time is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Never.
    Open,
    /// So long after it was queued.
    After(Duration),
    /// Then.
    At(Instant),
}

/// CANCEL frames of this side: in this batch, and in the second that began at `since`. What is too much waits until `at`.
#[derive(Debug)]
pub(super) struct Cancels {
    pub(super) in_batch: u32,
    in_second: u32,
    pub(super) since: Option<Instant>,
    pub(super) at: Option<Instant>,
}

impl Cancels {
    pub(super) const NONE: Self = Self { in_batch: 0, in_second: 0, since: None, at: None };
}

impl Out {
    /// Takes a call; on success the id of its slot comes back with the driver's waker.
    pub(crate) fn call(
        &mut self,
        (action, info): (u16, &ActionInfo),
        payload: &[u8],
        timeout_ms: u32,
        until: Until,
        waker: &Waker,
    ) -> Result<(u32, Option<Waker>), CallRefused> {
        if self.suspended {
            return Err(CallRefused::Suspended);
        }
        if !self.writer.can_answer(info) {
            return Err(CallRefused::Unsupported);
        }
        self.writer.check_call(info, payload.len())?;
        let stream = info.reply.is_stream();
        if stream && self.has_all_streams() {
            return Err(CallRefused::Busy);
        }
        let direct = self.is_direct() && (stream || self.writer.can_call());
        if self.account.is_full() || !direct && !self.has_room(payload.len()) {
            self.note_full();
            return Err(CallRefused::Full);
        }
        let state = if direct { CallState::Sent } else { CallState::Parked };
        let deadline = match until {
            Until::Open => None,
            Until::After(time) => self.batch_time(direct).checked_add(time),
            Until::At(time) => Some(time),
        };
        let consumer = stream.then(|| Box::new(self.new_consumer()));
        let asked = &mut *self.asked;
        let Some((id, slot)) = asked.calls.open(CallSlot::NEW) else { return Err(CallRefused::Full) };
        slot.deadline = deadline;
        slot.waker = Some(waker.clone());
        slot.state = state;
        slot.stream = stream;
        slot.consumer = consumer;
        slot.which = Which::new(action);
        slot.timed = if direct { self.sends.call(Which::new(action)) } else { Stopwatch::NONE };
        let sooner = deadline.is_some_and(|deadline| asked.earliest.is_none_or(|earliest| deadline < earliest));
        if sooner {
            asked.earliest = deadline;
        }
        if direct {
            self.begin_batch();
            self.sent.calls += 1;
            self.writer.call(id, (action, info), timeout_ms, payload, &mut self.asked.text, &mut self.buf);
            self.settle();
        } else {
            let mut frame = Vec::with_capacity(payload.len() + HEAD);
            self.writer.call_frame(id, info, action, timeout_ms, payload, &mut frame);
            let (frame, which) = (frame.into_boxed_slice().into(), Which::new(action));
            self.park(Parked { frame, shared: false, which, call: Some((id, action)) });
        }
        // A driver that sleeps until a later time has to know, also of a parked call, also while a write is refused.
        Ok((id, if sooner { self.wake_anyway() } else { self.wake_driver() }))
    }

    /// The caller has gone: the peer's handler is told to stop. The place is free once the peer has answered even so.
    pub(crate) fn cancel_call(&mut self, id: u32, wakers: &mut Vec<Waker>) {
        let Some(slot) = self.asked.calls.get_mut(id) else { return };
        match slot.state {
            CallState::Sent if self.gone.is_none() && self.deaf.is_none() => {
                slot.state = CallState::Abandoned;
                slot.waker = None;
                slot.consumer = None;
                wakers.extend(self.write_cancel(id));
                // Until when it has to be answered is the driver's business.
                if self.writer.is_one_by_one() {
                    wakers.extend(self.wake_anyway());
                }
                wakers.extend(self.wake_driver());
            }
            CallState::TimedOut { answer_due: true } => {
                slot.state = CallState::Abandoned;
                slot.consumer = None;
            }
            CallState::Abandoned => {}
            CallState::Parked => {
                self.asked.calls.remove(id);
                if let Some(index) =
                    self.queue.parked.iter().position(|parked| parked.call.is_some_and(|(parked, _)| parked == id))
                {
                    self.unpark_at(index);
                }
                // What was behind it may have waited for nothing else.
                self.unpark(wakers);
                if !self.buf.is_empty() {
                    wakers.extend(self.wake_driver());
                }
            }
            _ => {
                self.asked.calls.remove(id);
            }
        }
        self.settle();
    }

    /// The reply to a call, if it has come, is short, and nothing else is to be seen to.
    #[inline]
    pub(crate) fn take_reply<'a>(&mut self, id: u32, short: &'a mut Short) -> Option<&'a [u8]> {
        let slot = self.asked.calls.get_mut(id)?;
        let CallState::Answered(AnswerBytes::Reply(Payload::Short(len))) = slot.state else { return None };
        if self.asked.calls.len() >= MAX_CALLS {
            return None;
        }
        let (kept, place) = (self.asked.shorts.0.get(Calls::<CallSlot>::place_of(id))?, usize::from(len));
        // All of it, as a copy of known length is a few instructions.
        *short = *kept;
        self.asked.calls.close(id);
        short.get(..place)
    }

    /// The outcome of a call, for its caller, and why the connection is gone, if it is; `None` while there is none. A short
    /// payload is copied to `short`.
    pub(crate) fn outcome(
        &mut self,
        id: u32,
        waker: &Waker,
        wakers: &mut Vec<Waker>,
        short: &mut Short,
    ) -> Option<(CallState, Option<Arc<Closed>>)> {
        let state = self.take_outcome(id, waker, wakers)?;
        if let CallState::Answered(AnswerBytes::Reply(Payload::Short(_)) | AnswerBytes::Error(Payload::Short(_))) =
            state
        {
            self.asked.shorts.copy(id, short);
        }
        Some((state, self.unanswerable().cloned()))
    }

    fn take_outcome(&mut self, id: u32, waker: &Waker, wakers: &mut Vec<Waker>) -> Option<CallState> {
        let Some(slot) = self.asked.calls.get_mut(id) else { return Some(CallState::Lost { sent: true }) };
        if !slot.state.has_ended() {
            if !slot.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                slot.waker = Some(waker.clone());
            }
            return None;
        }
        if matches!(slot.state, CallState::TimedOut { answer_due: true }) {
            slot.consumer = None;
            let state = std::mem::replace(&mut slot.state, CallState::Abandoned);
            self.settle();
            return Some(state);
        }
        if self.asked.calls.len() >= MAX_CALLS {
            // Somebody may wait for nothing but a free slot.
            self.wake_senders(wakers);
        }
        self.asked.calls.remove(id).map(|slot| slot.state)
    }

    /// A reply has come; the caller's waker, if it is still there.
    #[inline]
    pub(crate) fn replied(&mut self, id: u32, payload: &[u8]) -> Option<Waker> {
        // As most come: the caller waits, and the payload is short.
        let asked = &mut *self.asked;
        if let Some(slot) = asked.calls.get_mut(id)
            && matches!(slot.state, CallState::Sent)
            && !slot.stream
            && let Some(short) = asked.shorts.put(id, payload)
        {
            slot.state = CallState::Answered(AnswerBytes::Reply(short));
            let waker = slot.waker.take();
            self.sends.replied(slot.which, slot.timed);
            self.writer.call_ended(id, false);
            return waker;
        }
        self.answered(id, &Answer::Reply(payload))
    }

    /// An answer has come; the caller's waker, if it is still there. An answer to no call is ignored.
    pub(crate) fn answered(&mut self, id: u32, answer: &Answer<'_>) -> Option<Waker> {
        let asked = &mut *self.asked;
        let slot = asked.calls.get_mut(id)?;
        let stream = slot.stream;
        let waker = match slot.state {
            CallState::Sent => {
                slot.state = CallState::Answered(AnswerBytes::copy(answer, id, &mut asked.shorts));
                self.sends.replied(slot.which, slot.timed);
                if matches!(answer, Answer::Failure { .. }) {
                    self.sends.failed(slot.which);
                }
                slot.waker.take()
            }
            CallState::TimedOut { answer_due: true } => {
                slot.state = CallState::TimedOut { answer_due: false };
                None
            }
            CallState::Abandoned => {
                self.asked.calls.remove(id);
                None
            }
            _ => return None,
        };
        self.writer.call_ended(id, stream);
        waker
    }

    /// The same for an object, which may turn out to be no answer: `false`.
    pub(crate) fn answered_by(&mut self, named: &Named<'_>, wakers: &mut Vec<Waker>) -> Result<bool, Violation> {
        let Some((id, answer)) = self.writer.answered(named) else { return Ok(false) };
        wakers.extend(match answer {
            NamedAnswer::Reply(payload) => self.replied(id, payload),
            NamedAnswer::Item { payload, len } => self.item_arrived(id, payload, len)?,
            answer => self.answered(id, &answer.as_answer()),
        });
        Ok(true)
    }

    /// Ends the calls whose time is over. Collects wakers, to be woken outside of the lock.
    pub(crate) fn expire_calls(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        if self.asked.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        let mut earliest: Option<Instant> = None;
        let mut cancelled = Vec::new();
        for (id, slot) in self.asked.calls.iter_mut() {
            if slot.state.has_ended() {
                continue;
            }
            match slot.deadline {
                Some(deadline) if deadline <= now => {
                    let answer_due = matches!(slot.state, CallState::Sent);
                    if answer_due {
                        cancelled.push(id);
                        self.sends.failed(slot.which);
                    } else {
                        self.sends.unsent(slot.which);
                    }
                    self.sends.met(Met::CallTimeout);
                    slot.state = CallState::TimedOut { answer_due };
                    wakers.extend(slot.waker.take());
                }
                Some(deadline) => earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline))),
                None => {}
            }
        }
        self.asked.earliest = earliest;
        for id in cancelled {
            // The driver is the one who asks.
            let _ = self.write_cancel(id);
        }
    }

    /// Cancels what had to wait because too much was cancelled.
    pub(crate) fn cancel_by(&mut self, now: Instant) {
        if self.rare.cancels.at.is_none_or(|at| at > now) {
            return;
        }
        self.rare.cancels.at = None;
        let due: Vec<u32> = self.asked.calls.iter_mut().filter(|(_, slot)| slot.cancel_due).map(|(id, _)| id).collect();
        for id in due {
            let _ = self.write_cancel(id);
        }
    }

    /// Whether a call of this side waits for its answer. Streams may have no end, so nobody waits for it.
    pub(crate) fn awaits_answers(&mut self) -> bool {
        self.asked.is_taken() && self.asked.calls.iter_mut().any(|(_, slot)| !slot.state.has_ended() && !slot.stream)
    }

    /// Whether something gathers, and more than one call is open.
    pub(crate) fn has_callers(&self) -> bool {
        self.asked.calls.len() > 1 && !self.buf.is_empty()
    }

    /// The calls of this side, one after the other.
    pub(super) fn each_call(&mut self, each: impl FnMut(&mut CallSlot)) {
        if self.asked.is_taken() {
            self.asked.calls.iter_mut().map(|(_, slot)| slot).for_each(each);
        }
    }

    pub(super) fn lose_calls(&mut self, wakers: &mut Vec<Waker>) {
        if !self.asked.is_taken() {
            return;
        }
        for (_, slot) in self.asked.calls.iter_mut() {
            slot.state = match std::mem::replace(&mut slot.state, CallState::Lost { sent: false }) {
                CallState::Parked => {
                    self.sends.unsent(slot.which);
                    CallState::Lost { sent: false }
                }
                CallState::Sent => {
                    self.sends.failed(slot.which);
                    CallState::Lost { sent: true }
                }
                ended => ended,
            };
            wakers.extend(slot.waker.take());
        }
    }

    /// Tells the peer that nobody waits for a call: later, if too much of that was told already. The driver's waker, if it
    /// has to see to that.
    fn write_cancel(&mut self, id: u32) -> Option<Waker> {
        let now = Instant::now();
        let since = self.rare.cancels.since.filter(|since| now.duration_since(*since) < SECOND).unwrap_or(now);
        if self.rare.cancels.since != Some(since) {
            self.rare.cancels = Cancels { in_second: 0, since: Some(since), ..self.rare.cancels };
        }
        let late = self.rare.cancels.in_batch >= CANCELS || self.rare.cancels.in_second >= CANCELS;
        if let Some(slot) = self.asked.calls.get_mut(id) {
            slot.cancel_due = late;
        }
        if late {
            let sooner = self.rare.cancels.at.is_none();
            self.rare.cancels.at.get_or_insert(since + SECOND);
            return if sooner { self.wake_anyway() } else { None };
        }
        self.rare.cancels.in_batch += 1;
        self.rare.cancels.in_second += 1;
        self.date();
        self.writer.cancel(id, &mut self.buf);
        None
    }
}

/// What a small packet needs, and one that holds a few texts.
pub(crate) const SHORT_LEN: usize = 104;
/// Half of what a peer takes in a second, as its seconds are not this side's.
const CANCELS: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);
/// About what stands before a call's payload while it is parked.
const HEAD: usize = 64;
