//! The calls of this side: how they are queued, written, answered, and given up.

use std::{sync::Arc, task::Waker, time::Duration};

use pnet_protocol::{
    connection::{Answer, CallState, CallTable, Cancelled, NewCall, Opened, Parked, SendRefused, Short, Violation},
    failure::code,
    json::{CallText, Named, NamedAnswer},
    protocol::ActionInfo,
};
use tokio::time::Instant;

use super::{Outbox, Wakers};
use crate::{
    buffers,
    counts::{Met, Sends, Stopwatch, Which},
    error::{CallError, Closed},
    seldom::Empty,
};

/// The calls that this side has open.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) table: CallTable<Caller>,
    /// When the batch was begun that gathers now: the time of all its calls.
    batch_time: Option<Instant>,
    /// What the calls of a batch have in common where they are objects.
    pub(super) text: CallText,
}

/// Who waits for the answer to a call.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) waker: Option<Waker>,
    /// What is called.
    which: Which,
    pub(super) timed: Stopwatch,
}

/// A call as it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) action: u16,
    pub(crate) info: &'a ActionInfo,
    pub(crate) payload: &'a [u8],
    pub(crate) timeout_ms: u32,
    pub(crate) until: Until,
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

impl Empty for Pending {
    const EMPTY: Self = Self { table: CallTable::new(), batch_time: None, text: CallText::new() };
    const READ: &'static Self = &Self::EMPTY;
}

impl Pending {
    /// What gathered is written now.
    pub(super) fn end_batch(&mut self) {
        self.batch_time = None;
        self.text.forget();
        self.table.end_batch();
    }
}

impl Caller {
    /// The call ends without an answer.
    fn fail(&mut self, sent: bool, sends: &Sends, wakers: &mut Wakers) {
        if sent {
            sends.failed(self.which);
        } else {
            sends.unsent(self.which);
        }
        wakers.extend(self.waker.take());
    }
}

impl Outbox {
    /// Takes a call; its id. `None`: there is no room.
    pub(crate) fn call(&mut self, asked: Asked<'_>, waker: &Waker) -> Result<Option<u32>, Box<CallError>> {
        let Asked { action, info, payload, timeout_ms, until } = asked;
        if self.suspended {
            return Err(CallError::Suspended.into());
        }
        if !self.writer.can_answer(info) {
            return Err(failed(code::UNSUPPORTED, "a peer of the old form cannot answer this call"));
        }
        if let Err(SendRefused::TooLong { len, max }) = self.writer.check_call(info, payload.len()) {
            return Err(CallError::TooLong { len: len as u64, max: max.into() }.into());
        }
        let stream = info.reply.is_stream();
        if stream && self.calls.table.open_streams() >= self.writer.max_streams() as usize {
            return Err(failed(code::BUSY, "as many streams are open as the peer takes"));
        }
        let direct = self.is_direct() && (stream || self.writer.can_call());
        if self.account.is_full() || !direct && !self.has_room(payload.len()) {
            self.note_full();
            return Ok(None);
        }
        if self.calls.table.is_full() {
            return Ok(None);
        }
        let deadline = match until {
            Until::Open => None,
            // Those that go with the same batch share one time.
            Until::After(time) if direct => self.calls.batch_time.get_or_insert_with(Instant::now).checked_add(time),
            Until::After(time) => Instant::now().checked_add(time),
            Until::At(time) => Some(time),
        };
        let which = Which::new(action);
        let timed = if direct { self.sends.call(which) } else { Stopwatch::NONE };
        let call = NewCall {
            deadline: deadline.map(Instant::into_std),
            sent: direct,
            stream: stream.then(|| self.writer.stream_window(&self.local)),
        };
        let calls = &mut *self.calls;
        let caller = Caller { waker: Some(waker.clone()), which, timed };
        let Some(Opened { id, sooner, .. }) = calls.table.open(call, caller) else { return Ok(None) };
        if direct {
            self.begin_batch();
            self.sent.calls += 1;
            self.writer.call(id, (action, info), timeout_ms, payload, &mut self.calls.text, &mut self.buf);
            self.settle();
        } else {
            let mut frame = Vec::with_capacity(payload.len() + HEAD);
            self.writer.call_frame(id, info, action, timeout_ms, payload, &mut frame);
            self.park(Parked { frame: frame.into_boxed_slice().into(), shared: false, action, call: Some(id) });
        }
        // A driver that sleeps until a later time has to know, also of a parked call, also while a write is refused.
        if sooner {
            self.wake_anyway();
        } else {
            self.wake_driver();
        }
        Ok(Some(id))
    }

    /// The caller has gone: the peer's handler is told to stop. The place is free once the peer has answered even so.
    pub(crate) fn cancel_call(&mut self, id: u32) {
        match self.calls.table.cancel(id) {
            Cancelled::Sent(caller) => {
                caller.waker = None;
                let now = Instant::now();
                let due = self.calls.table.due();
                self.write_cancel(id, now);
                // Until when a peer that takes one packet at a time has to answer is the driver's business.
                if self.calls.table.due() != due || self.writer.is_one_by_one() {
                    self.wake_anyway();
                }
                self.wake_driver();
            }
            Cancelled::Parked => {
                self.queue.take_call(id);
                // What was behind it may have waited for nothing else.
                self.unpark();
                if !self.buf.is_empty() {
                    self.wake_driver();
                }
            }
            Cancelled::Ended => {}
        }
        self.settle();
    }

    /// The reply to a call, if it has come, is short, and nothing else is to be seen to.
    #[inline]
    pub(crate) fn take_reply<'a>(&mut self, id: u32, short: &'a mut Short) -> Option<&'a [u8]> {
        self.calls.table.take_reply(id, short)
    }

    /// The outcome of a call, for its caller, and why the connection is gone, if it is; `None` while there is none. A short
    /// payload is copied to `short`.
    pub(crate) fn outcome(
        &mut self,
        id: u32,
        waker: &Waker,
        short: &mut Short,
    ) -> Option<(CallState, Option<Arc<Closed>>)> {
        let was_full = self.calls.table.is_full();
        let state = match self.calls.table.outcome(id, short) {
            Ok(state) => state,
            Err(caller) => {
                if !caller.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                    caller.waker = Some(waker.clone());
                }
                return None;
            }
        };
        if was_full {
            // Somebody may wait for nothing but a free place.
            self.wake_senders();
        }
        self.settle();
        Some((state, self.unanswerable().cloned()))
    }

    /// A reply has come.
    #[inline]
    pub(crate) fn replied(&mut self, id: u32, payload: &[u8]) {
        let Some(caller) = self.calls.table.replied(id, payload) else {
            self.answered(id, &Answer::Reply(payload));
            return;
        };
        self.wakers.extend(caller.waker.take());
        self.sends.replied(caller.which, caller.timed);
        self.writer.call_ended(id, false);
    }

    /// An answer has come. An answer to no call is ignored.
    pub(crate) fn answered(&mut self, id: u32, answer: &Answer<'_>) {
        let Some(answered) = self.calls.table.answered(id, answer) else { return };
        let stream = answered.stream;
        if let Some(caller) = answered.who {
            self.wakers.extend(caller.waker.take());
            self.sends.replied(caller.which, caller.timed);
            if matches!(answer, Answer::Failure { .. }) {
                self.sends.failed(caller.which);
            }
        }
        self.writer.call_ended(id, stream);
    }

    /// The same for an object, which may turn out to be no answer: `false`.
    pub(crate) fn answered_by(&mut self, named: &Named<'_>) -> Result<bool, Violation> {
        let Some((id, answer)) = self.writer.answered(named) else { return Ok(false) };
        match answer {
            NamedAnswer::Reply(payload) => self.replied(id, payload),
            NamedAnswer::Item { payload, len } => self.item_arrived(id, payload, len)?,
            answer => self.answered(id, &answer.as_answer()),
        }
        Ok(true)
    }

    /// An item has come. An item of no open stream is ignored.
    pub(crate) fn item_arrived(&mut self, id: u32, payload: &[u8], len: u32) -> Result<(), Violation> {
        if let Some(caller) = self.calls.table.item(id, len, || buffers::keep(payload))? {
            self.wakers.extend(caller.waker.take());
            self.settle();
        }
        Ok(())
    }

    /// The next item that has come.
    pub(crate) fn take_item(&mut self, id: u32) -> Option<Vec<u8>> {
        let item = self.calls.table.take_item(id)?;
        self.settle();
        if let Some((items, bytes)) = item.due {
            self.date();
            self.writer.stream_credit_due(id, items, bytes, &mut self.buf);
            self.wake_driver();
        }
        Some(item.payload)
    }

    /// Ends the calls whose time is over.
    pub(super) fn expire_calls(&mut self, now: Instant) {
        let Some(calls) = self.calls.get_mut() else { return };
        let (sends, wakers) = (&self.sends, &mut self.wakers);
        let cancelled = calls.table.expire(now.into_std(), |caller, sent| {
            sends.met(Met::CallTimeout);
            caller.fail(sent, sends, wakers);
        });
        cancelled.into_iter().for_each(|id| self.write_cancel(id, now));
    }

    /// Cancels what had to wait because too much was cancelled.
    pub(super) fn cancel_late(&mut self, now: Instant) {
        if let Some(calls) = self.calls.get_mut() {
            calls.table.late_cancels(now.into_std()).into_iter().for_each(|id| self.write_cancel(id, now));
        }
    }

    /// Whether a call of this side waits for its answer. Streams may have no end, so nobody waits for it.
    pub(crate) fn awaits_answers(&self) -> bool {
        self.calls.table.awaits_answers()
    }

    /// Whether something gathers, and more than one call is open.
    pub(crate) fn has_callers(&self) -> bool {
        self.calls.table.len() > 1 && !self.buf.is_empty()
    }

    /// The time of the batch that gathers now, if anybody has asked for it.
    pub(crate) fn batch_began(&self) -> Option<Instant> {
        self.calls.batch_time
    }

    /// No answer can come any more.
    pub(super) fn lose_calls(&mut self) {
        let (sends, wakers) = (&self.sends, &mut self.wakers);
        if let Some(calls) = self.calls.get_mut() {
            calls.table.lose(|caller, sent| caller.fail(sent, sends, wakers));
        }
    }

    /// Tells the peer that nobody waits for a call: later, if too much of that was told already.
    fn write_cancel(&mut self, id: u32, now: Instant) {
        if self.calls.table.may_cancel(id, now.into_std()) {
            self.date();
            self.writer.cancel(id, &mut self.buf);
        }
    }
}

fn failed(code: &str, message: &str) -> Box<CallError> {
    Box::new(CallError::Failed { code: code.to_owned(), message: message.to_owned() })
}

/// About what stands before a call's payload while it is parked.
const HEAD: usize = 64;
