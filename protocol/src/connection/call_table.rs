//! The calls of one side: how they wait to be sent, are answered, given up, and end without an answer.

use std::{collections::VecDeque, fmt, time::Instant};

use super::{
    Answer, Calls, MAX_CALLS, Violation, Window,
    answer_bytes::{AnswerBytes, Payload, Short, Shorts},
    cancels::Cancels,
};

/// The open calls of this side, each with a `W`: whoever waits for its answer, who is kept and handed back, never called.
/// Their ids are the wire's.
///
/// A call is [parked](CallState::Parked) or [sent](CallState::Sent), until it [has ended](CallState::has_ended). Its caller
/// then looks at the [`outcome`](Self::outcome), and the place is free. Whoever goes before that [cancels](Self::cancel).
pub struct CallTable<W> {
    calls: Calls<Slot<W>>,
    shorts: Shorts,
    /// No open call's time is over before this.
    earliest: Option<Instant>,
    cancels: Cancels,
    /// What the items of streams hold that nobody has taken.
    unread: usize,
}

struct Slot<W> {
    who: W,
    deadline: Option<Instant>,
    state: CallState,
    stream: bool,
    /// What has come of the stream, as long as somebody wants it.
    consumer: Option<Box<Consumer>>,
    /// Whether the peer is still to be told that nobody waits.
    cancel_due: bool,
}

/// A stream that this side consumes.
struct Consumer {
    /// What has come and was not taken, each with what it occupies of the window.
    items: VecDeque<(Vec<u8>, u32)>,
    window: Window,
}

/// Where a call is.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all the places where a call can be")]
pub enum CallState {
    /// Still in the queue.
    Parked,
    /// Handed to the transport, or about to be.
    Sent,
    /// Ended; the caller has not looked yet.
    Answered(AnswerBytes),
    /// Cancelled for the caller.
    TimedOut {
        /// The peer answers all the same, and until then the call counts.
        answer_due: bool,
    },
    /// The caller has gone, the peer's answer is due.
    Abandoned,
    /// No answer can come any more.
    Lost {
        /// Whether the peer may have got it.
        sent: bool,
    },
}

/// A call to be made.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is what the table has to know")]
pub struct NewCall {
    /// When its time is over.
    pub deadline: Option<Instant>,
    /// Whether it is written now. If not, it is parked.
    pub sent: bool,
    /// What may come of the stream that it opens, if it does.
    pub stream: Option<Window>,
}

/// A call that was opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// Its id.
    pub id: u32,
    /// Whether its time is over before that of any other.
    pub sooner: bool,
}

/// A call that was answered.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answered<'a, W> {
    /// Who waits for the answer.
    pub who: Option<&'a mut W>,
    /// Whether it opened a stream.
    pub stream: bool,
}

/// A call that was given up.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever gives up has to do what is left to do")]
pub enum Cancelled<'a, W> {
    /// The peer is to be told so, and answers all the same. Who has waited stays with the call until then.
    Sent(&'a mut W),
    /// It has to be taken out of the queue.
    Parked,
    /// Nothing is left to be done.
    Ended,
}

/// An item that was taken.
#[derive(Debug)]
#[non_exhaustive]
pub struct Item {
    /// The bytes.
    pub payload: Vec<u8>,
    /// The credit that has to be given for it and those before: items and bytes.
    pub due: Option<(u32, u32)>,
}

impl CallState {
    /// Whether the caller has only to look.
    pub const fn has_ended(&self) -> bool {
        !matches!(self, Self::Parked | Self::Sent)
    }

    /// Whether nobody wants the answer, and it is due.
    const fn is_given_up(&self) -> bool {
        matches!(self, Self::Abandoned | Self::TimedOut { answer_due: true })
    }
}

impl<W> CallTable<W> {
    /// No calls, and no memory either.
    pub const fn new() -> Self {
        Self { calls: Calls::new(), shorts: Shorts::new(), earliest: None, cancels: Cancels::new(), unread: 0 }
    }

    /// Opens a call. `None` if there are [`MAX_CALLS`].
    #[inline]
    pub fn open(&mut self, NewCall { deadline, sent, stream }: NewCall, who: W) -> Option<Opened> {
        let state = if sent { CallState::Sent } else { CallState::Parked };
        let consumer = stream.map(|window| Box::new(Consumer { items: VecDeque::new(), window }));
        let id =
            self.calls.insert(Slot { who, deadline, state, stream: stream.is_some(), consumer, cancel_due: false })?;
        let sooner = deadline.is_some_and(|deadline| self.earliest.is_none_or(|earliest| deadline < earliest));
        if sooner {
            self.earliest = deadline;
        }
        Some(Opened { id, sooner })
    }

    /// Whether a parked call opens a stream; `None`: it is not parked any more.
    pub fn parked(&self, id: u32) -> Option<bool> {
        self.calls.get(id).filter(|slot| matches!(slot.state, CallState::Parked)).map(|slot| slot.stream)
    }

    /// A parked call is written.
    pub fn start(&mut self, id: u32) -> Option<&mut W> {
        let slot = self.calls.get_mut(id)?;
        slot.state = CallState::Sent;
        Some(&mut slot.who)
    }

    /// A reply has come, as most do: it is short, and the caller waits. `None`: nothing was done, and
    /// [`answered`](Self::answered) sees to it.
    #[inline]
    pub fn replied(&mut self, id: u32, payload: &[u8]) -> Option<&mut W> {
        let slot = self.calls.get_mut(id)?;
        if slot.stream || !matches!(slot.state, CallState::Sent) {
            return None;
        }
        slot.state = CallState::Answered(AnswerBytes::Reply(self.shorts.put(id, payload)?));
        Some(&mut slot.who)
    }

    /// An answer has come. `None`: no call that is open waits for it.
    pub fn answered(&mut self, id: u32, answer: &Answer<'_>) -> Option<Answered<'_, W>> {
        let slot = self.calls.get_mut(id)?;
        let stream = slot.stream;
        if matches!(slot.state, CallState::Abandoned) {
            self.close(id);
            return Some(Answered { who: None, stream });
        }
        let slot = self.calls.get_mut(id)?;
        match slot.state {
            CallState::Sent => {
                slot.state = CallState::Answered(AnswerBytes::copy(answer, id, &mut self.shorts));
                Some(Answered { who: Some(&mut slot.who), stream })
            }
            CallState::TimedOut { answer_due: true } => {
                slot.state = CallState::TimedOut { answer_due: false };
                Some(Answered { who: None, stream })
            }
            _ => None,
        }
    }

    /// Takes the reply to a call, if it has come, is short, and nothing else is to be seen to.
    #[inline]
    pub fn take_reply<'a>(&mut self, id: u32, short: &'a mut Short) -> Option<&'a [u8]> {
        let slot = self.calls.get_mut(id)?;
        let CallState::Answered(AnswerBytes::Reply(Payload::Short(len))) = slot.state else { return None };
        if self.is_full() {
            return None;
        }
        self.shorts.copy(id, short);
        self.calls.close(id);
        short.get(..usize::from(len))
    }

    /// Takes the outcome of a call. A short payload is copied to `short`.
    ///
    /// # Errors
    ///
    /// Who waits for it, if there is none yet.
    pub fn outcome(&mut self, id: u32, short: &mut Short) -> Result<CallState, &mut W> {
        match self.calls.get_mut(id) {
            None => return Ok(CallState::Lost { sent: true }),
            Some(slot) if slot.state.has_ended() => {
                if matches!(slot.state, CallState::TimedOut { answer_due: true }) {
                    self.unread -= slot.let_go();
                    return Ok(std::mem::replace(&mut slot.state, CallState::Abandoned));
                }
            }
            Some(_) => {
                let slot = self.calls.get_mut(id).map(|slot| &mut slot.who);
                return slot.map_or(Ok(CallState::Lost { sent: true }), Err);
            }
        }
        let state = self.close(id).unwrap_or(CallState::Lost { sent: true });
        if matches!(&state, CallState::Answered(answer) if answer.is_short()) {
            self.shorts.copy(id, short);
        }
        Ok(state)
    }

    /// The caller has gone. The place is free once the peer has answered even so.
    pub fn cancel(&mut self, id: u32) -> Cancelled<'_, W> {
        let is_due = |slot: &Slot<W>| matches!(slot.state, CallState::Sent) || slot.state.is_given_up();
        if !self.calls.get_mut(id).is_some_and(|slot| is_due(slot)) {
            let parked = matches!(self.close(id), Some(CallState::Parked));
            return if parked { Cancelled::Parked } else { Cancelled::Ended };
        }
        let Some(slot) = self.calls.get_mut(id) else { return Cancelled::Ended };
        self.unread -= slot.let_go();
        match std::mem::replace(&mut slot.state, CallState::Abandoned) {
            CallState::Sent => Cancelled::Sent(&mut slot.who),
            _ => Cancelled::Ended,
        }
    }

    /// Whether the peer may be told now that a call's answer is not wanted. If not, it is [due](Self::due) later.
    pub fn may_cancel(&mut self, id: u32, now: Instant) -> bool {
        let may = self.cancels.may_go(now);
        if let Some(slot) = self.calls.get_mut(id) {
            slot.cancel_due = !may;
        }
        may
    }

    /// The calls of which the peer is to be told what had to wait.
    pub fn late_cancels(&mut self, now: Instant) -> Vec<u32> {
        if !self.cancels.are_due(now) {
            return Vec::new();
        }
        self.calls.iter_mut().filter(|(_, slot)| slot.cancel_due).map(|(id, _)| id).collect()
    }

    /// The peer is not told any more what it should cancel.
    pub const fn stop_cancelling(&mut self) {
        self.cancels.stop();
    }

    /// What was written goes out.
    pub const fn end_batch(&mut self) {
        self.cancels.end_batch();
    }

    /// Ends the calls whose time is over, and tells of each who waits and whether it was sent. Those that were are to be
    /// cancelled.
    pub fn expire(&mut self, now: Instant, mut each: impl FnMut(&mut W, bool)) -> Vec<u32> {
        let mut cancelled = Vec::new();
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return cancelled;
        }
        self.earliest = None;
        for (id, slot) in self.calls.iter_mut().filter(|(_, slot)| !slot.state.has_ended()) {
            if slot.deadline.is_none_or(|deadline| deadline > now) {
                self.earliest = sooner(self.earliest, slot.deadline);
                continue;
            }
            let answer_due = matches!(slot.state, CallState::Sent);
            if answer_due {
                cancelled.push(id);
            }
            slot.state = CallState::TimedOut { answer_due };
            each(&mut slot.who, answer_due);
        }
        cancelled
    }

    /// No answer can come any more. Tells of each call that has not ended who waits and whether it was sent.
    pub fn lose(&mut self, mut each: impl FnMut(&mut W, bool)) {
        for (_, slot) in self.calls.iter_mut().filter(|(_, slot)| !slot.state.has_ended()) {
            let sent = matches!(slot.state, CallState::Sent);
            slot.state = CallState::Lost { sent };
            each(&mut slot.who, sent);
        }
    }

    /// An item of a stream has come; its payload is made if it is kept. Who waits for it, if there is such a stream.
    ///
    /// # Errors
    ///
    /// [`Violation::NoItemCredit`].
    pub fn item(&mut self, id: u32, len: u32, payload: impl FnOnce() -> Vec<u8>) -> Result<Option<&mut W>, Violation> {
        let Some(slot) = self.calls.get_mut(id).filter(|slot| matches!(slot.state, CallState::Sent)) else {
            return Ok(None);
        };
        let Some(consumer) = &mut slot.consumer else { return Ok(None) };
        if !consumer.window.arrived(len) {
            let (items, bytes) = consumer.window.size();
            return Err(Violation::NoItemCredit { id, items, bytes });
        }
        let payload = payload();
        self.unread += weigh(&payload);
        consumer.items.push_back((payload, len));
        Ok(Some(&mut slot.who))
    }

    /// Takes the next item of a stream.
    pub fn take_item(&mut self, id: u32) -> Option<Item> {
        let slot = self.calls.get_mut(id)?;
        let consumer = slot.consumer.as_mut()?;
        let (payload, len) = consumer.items.pop_front()?;
        self.unread -= weigh(&payload);
        let due = consumer.window.finished(len).filter(|_| matches!(slot.state, CallState::Sent));
        Some(Item { payload, due })
    }

    /// The producers of streams turn out to go by this credit.
    pub fn narrow_streams(&mut self, items: u32, bytes: u32) {
        for (_, slot) in self.calls.iter_mut() {
            if let Some(consumer) = &mut slot.consumer {
                consumer.window.narrow(items, bytes);
            }
        }
    }

    /// How many streams the peer has open, or will have.
    pub fn open_streams(&self) -> usize {
        let open = |slot: &&Slot<W>| slot.stream && (!slot.state.has_ended() || slot.state.is_given_up());
        self.calls.iter().filter(open).count()
    }

    /// How many calls wait for their answers.
    pub fn awaited(&self) -> usize {
        self.calls.iter().filter(|slot| !slot.state.has_ended()).count()
    }

    /// Whether a call waits for its answer. Streams may have no end, so nobody waits for it.
    pub fn awaits_answers(&self) -> bool {
        self.calls.iter().any(|slot| !slot.state.has_ended() && !slot.stream)
    }

    /// Whether an answer is due that nobody wants.
    pub fn has_given_up(&self) -> bool {
        self.calls.iter().any(|slot| slot.state.is_given_up())
    }

    /// When the time of a call may be over, or the peer may be told of more calls that it should cancel.
    #[inline]
    pub fn due(&self) -> Option<Instant> {
        sooner(self.earliest, self.cancels.due())
    }

    /// What the items of streams hold that nobody has taken.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// How many calls have a place.
    pub const fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call has a place.
    pub const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether no more calls have a place.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.calls.len() >= MAX_CALLS
    }

    fn close(&mut self, id: u32) -> Option<CallState> {
        let mut slot = self.calls.remove(id)?;
        self.unread -= slot.let_go();
        Some(slot.state)
    }
}

impl<W> Slot<W> {
    /// Nobody wants the stream any more; what it held.
    fn let_go(&mut self) -> usize {
        self.consumer.take().map_or(0, |consumer| consumer.items.iter().map(|(payload, _)| weigh(payload)).sum())
    }
}

impl<W> Default for CallTable<W> {
    fn default() -> Self {
        Self::new()
    }
}

/// Without what is in it.
impl<W> fmt::Debug for CallTable<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallTable").field("len", &self.len()).field("unread", &self.unread).finish_non_exhaustive()
    }
}

/// What an item occupies: of a short one in a buffer that was used before, more than its length.
const fn weigh(payload: &Vec<u8>) -> usize {
    payload.capacity() + size_of::<(Vec<u8>, u32)>()
}

/// The sooner of two times, as far as there are any.
#[inline]
pub fn sooner<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connection::SHORT_LEN;

    const CALL: NewCall = NewCall { deadline: None, sent: true, stream: None };
    const SECOND: Duration = Duration::from_secs(1);

    fn outcome(table: &mut CallTable<&str>, id: u32) -> Option<CallState> {
        table.outcome(id, &mut [0; _]).ok()
    }

    #[test]
    fn an_answer_is_there_until_its_caller_has_looked() {
        let mut table = CallTable::new();
        let (short, long) = (table.open(CALL, "short").unwrap().id, table.open(CALL, "long").unwrap().id);
        assert_eq!(table.replied(short, b"abc"), Some(&mut "short"));
        assert_eq!(table.replied(long, &[7; SHORT_LEN + 1]), None);
        let answered = table.answered(long, &Answer::Reply(&[7; SHORT_LEN + 1])).unwrap();
        assert_eq!((answered.who, answered.stream), (Some(&mut "long"), false));
        assert!(table.answered(long, &Answer::End).is_none(), "a second answer");
        let mut kept = [0; SHORT_LEN];
        assert_eq!(table.take_reply(long, &mut kept), None);
        assert_eq!(table.take_reply(short, &mut kept), Some(&b"abc"[..]));
        let Some(CallState::Answered(AnswerBytes::Reply(payload))) = outcome(&mut table, long) else { panic!() };
        assert_eq!(payload.bytes(&kept), [7; SHORT_LEN + 1]);
        assert!(table.is_empty());
        assert!(matches!(outcome(&mut table, long), Some(CallState::Lost { sent: true })));
    }

    #[test]
    fn a_call_counts_until_its_answer_has_come_though_nobody_waits() {
        let mut table = CallTable::new();
        let id = table.open(CALL, "caller").unwrap().id;
        assert!(matches!(table.cancel(id), Cancelled::Sent(_)));
        assert!(table.has_given_up() && !table.awaits_answers());
        assert!(matches!(table.cancel(id), Cancelled::Ended));
        assert!(table.answered(id, &Answer::Reply(b"")).unwrap().who.is_none());
        assert!(table.is_empty());
    }

    #[test]
    fn those_whose_time_is_over_are_told_and_those_that_were_sent_cancelled() {
        let (mut table, now) = (CallTable::new(), Instant::now());
        let mut open =
            |after, sent| table.open(NewCall { deadline: Some(now + after), sent, ..CALL }, after).unwrap().id;
        let (sent, parked, later) = (open(SECOND, true), open(2 * SECOND, false), open(3 * SECOND, true));
        assert_eq!(table.due(), Some(now + SECOND));
        let mut told = Vec::new();
        assert_eq!(table.expire(now + 2 * SECOND, |who, sent| told.push((*who, sent))), [sent]);
        assert_eq!(told, [(SECOND, true), (2 * SECOND, false)]);
        assert_eq!(table.due(), Some(now + 3 * SECOND));
        let mut short = [0; SHORT_LEN];
        assert!(matches!(table.outcome(sent, &mut short), Ok(CallState::TimedOut { answer_due: true })));
        assert!(matches!(table.outcome(parked, &mut short), Ok(CallState::TimedOut { answer_due: false })));
        assert_eq!(table.outcome(later, &mut short).unwrap_err(), &mut (3 * SECOND));
        assert_eq!(table.len(), 2, "one is open, and the answer to one is due");
        table.lose(|who, sent| assert_eq!((*who, sent), (3 * SECOND, true)));
        assert!(matches!(table.outcome(later, &mut short), Ok(CallState::Lost { sent: true })));
    }

    #[test]
    fn cancellations_beyond_the_rate_are_due_later() {
        let (mut table, now) = (CallTable::new(), Instant::now());
        let ids: Vec<u32> = (0..102).map(|_| table.open(CALL, ()).unwrap().id).collect();
        let late: Vec<u32> = ids.iter().copied().filter(|id| !table.may_cancel(*id, now)).collect();
        assert_eq!(late, ids[100..]);
        assert_eq!((table.due(), table.late_cancels(now)), (Some(now + SECOND), vec![]));
        table.end_batch();
        assert_eq!(table.late_cancels(now + SECOND), late);
        assert!(late.iter().all(|id| table.may_cancel(*id, now + SECOND)));
        assert_eq!(table.due(), None);
    }

    #[test]
    fn what_nobody_has_taken_counts_as_long_as_somebody_may_take_it() {
        let mut table = CallTable::new();
        let id = table.open(NewCall { stream: Some(Window::new(2, 100)), ..CALL }, "consumer").unwrap().id;
        for _ in 0..2 {
            assert_eq!(table.item(id, 10, || vec![7; 10]), Ok(Some(&mut "consumer")));
        }
        let held = table.unread();
        assert!(held >= 20);
        assert_eq!(table.item(id, 10, Vec::new), Err(Violation::NoItemCredit { id, items: 2, bytes: 100 }));
        let item = table.take_item(id).unwrap();
        assert_eq!((item.payload, item.due), (vec![7; 10], Some((1, 10))));
        assert_eq!(table.unread(), held / 2);
        assert!(table.answered(id, &Answer::End).unwrap().stream);
        assert!(table.take_item(id).unwrap().due.is_none(), "nobody goes by it any more");
        assert!(table.take_item(id).is_none() && table.unread() == 0);
    }

    #[test]
    fn what_a_stream_holds_that_is_given_up_is_let_go() {
        let mut table = CallTable::new();
        let id = table.open(NewCall { stream: Some(Window::new(2, 100)), ..CALL }, ()).unwrap().id;
        table.item(id, 10, || vec![7; 10]).unwrap();
        assert!(matches!(table.cancel(id), Cancelled::Sent(())));
        assert_eq!((table.unread(), table.open_streams()), (0, 1));
        assert_eq!(table.item(id, 10, || unreachable!("nobody wants it")), Ok(None));
    }
}
