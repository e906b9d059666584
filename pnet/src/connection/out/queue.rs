//! What cannot go into the out-buffer yet: frames without credit, without a call's place or without room, in order, and the
//! senders that wait for a place among them.

use std::{collections::VecDeque, fmt, task::Waker};

use bytes::Bytes;
use pnet_protocol::secret::Hidden;
use tokio::time::Instant;

use super::{HIGH_WATER, Out, calls::CallState, next};
use crate::{
    counts::{Met, Which},
    seldom::{Empty, Seldom},
};

/// What waits.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(super) parked: VecDeque<Parked>,
    bytes: usize,
    /// Of these, what no other connection shares.
    own: usize,
    /// Senders that wait for a place, each with its ticket.
    room: Vec<(u64, Waker)>,
    /// Since when the queue has been half full or more, and packets were refused.
    pub(super) refused_since: Option<Instant>,
}

impl Empty for Queue {
    const EMPTY: Self = Self { parked: VecDeque::new(), bytes: 0, own: 0, room: Vec::new(), refused_since: None };
    const READ: &'static Self = &Self::EMPTY;
}

/// A frame that waits.
pub(super) struct Parked {
    pub(super) frame: Bytes,
    /// Whether other connections have the same frame; then it is not counted here.
    pub(super) shared: bool,
    /// What it is, for a one-way packet.
    pub(super) which: Which,
    /// The call's id and action; `None` for a one-way packet.
    pub(super) call: Option<(u32, u16)>,
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked")
            .field("frame", &Hidden::of(&self.frame))
            .field("shared", &self.shared)
            .field("call", &self.call)
            .finish()
    }
}

impl Parked {
    /// What no other connection shares.
    fn own(&self) -> usize {
        if self.shared { 0 } else { self.frame.len() }
    }
}

impl Out {
    /// A packet was refused for want of room, and nobody waits for it. From the first one on, the driver watches whether
    /// the queue becomes shorter.
    pub(crate) fn refuse(&mut self) {
        if self.queue.refused_since.is_none() {
            self.queue.refused_since = Some(Instant::now());
            self.wake_anyway();
        }
    }

    /// Moves what now may go from the parked to the buffer, and tells waiting senders of room. Call it whenever credit
    /// came, a call ended or the buffer was taken.
    #[inline]
    pub(crate) fn unpark(&mut self) {
        if !self.queue.parked.is_empty()
            || self.queue.refused_since.is_some()
            || self.awaits_room()
            || self.has_waiting_producers()
        {
            self.unpark_some();
        }
    }

    fn unpark_some(&mut self) {
        while !self.blocked && self.buf.len() < HIGH_WATER {
            let Some(front) = self.queue.parked.front() else { break };
            let may_go = match front.call {
                Some((id, _)) => match self.asked.calls.get_mut(id) {
                    Some(slot) if matches!(slot.state, CallState::Parked) => slot.stream || self.writer.can_call(),
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
                    self.buf.extend_from_slice(&parked.frame);
                    let timed = self.sends.call(Which::new(action));
                    let stream = self.asked.calls.get_mut(id).is_some_and(|slot| {
                        slot.state = CallState::Sent;
                        slot.timed = timed;
                        slot.stream
                    });
                    self.writer.call_started(id, action, stream, &mut self.buf);
                }
                None => self.write_packet(parked.which, &parked.frame),
            }
        }
        if self.queue.refused_since.is_some() && self.is_half_empty() {
            self.queue.refused_since = None;
        }
        self.wake_room();
        self.wake_waiting_producers();
    }

    /// Tells waiting senders of room, if there is some.
    pub(crate) fn wake_room(&mut self) {
        if !self.queue.room.is_empty() && self.has_room(0) && !self.is_soon_direct() {
            self.wake_senders();
        }
    }

    /// Wakes whoever waits for room.
    pub(super) fn wake_senders(&mut self) {
        if self.awaits_room() {
            self.wakers.extend(self.queue.room.drain(..).map(|(_, waker)| waker));
        }
    }

    /// Whether a sender waits for room.
    pub(crate) fn awaits_room(&self) -> bool {
        !self.queue.room.is_empty()
    }

    /// Queues up for room. The ticket is the sender's, who gives it back if it does not wait any more.
    pub(crate) fn wait_for_room(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        let number = *ticket.get_or_insert_with(|| next(&mut self.tickets));
        match self.queue.room.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => known.clone_from(waker),
            None => self.queue.room.push((number, waker.clone())),
        }
        // It is the driver that looks for room, here and in the server's budget.
        if self.account.is_full() && self.driver.as_ref().is_some_and(|driver| !self.account.wait_to_send(driver)) {
            self.wake_anyway();
        }
    }

    pub(crate) fn leave_queue(&mut self, ticket: u64) {
        if self.queue.is_taken() {
            self.queue.room.retain(|(known, _)| *known != ticket);
        }
    }

    /// Calls cannot be answered any more: only packets are left.
    pub(super) fn drop_parked_calls(&mut self) {
        if self.queue.is_taken() {
            let queue = &mut *self.queue;
            queue.parked.retain(|parked| parked.call.is_none());
            queue.bytes = queue.parked.iter().map(|parked| parked.frame.len()).sum();
            queue.own = queue.parked.iter().map(Parked::own).sum();
        }
    }

    /// Nothing of what waits will be written.
    pub(super) fn drop_queue(&mut self) {
        self.wake_senders();
        self.queue = Seldom::new();
    }

    /// What the queue holds: all of it, and what no other connection shares.
    pub(super) fn queued(&self) -> (usize, usize) {
        (self.queue.bytes, self.queue.own + self.queue.parked.len() * size_of::<Parked>())
    }

    pub(super) fn park(&mut self, parked: Parked) {
        if self.buf.len() >= HIGH_WATER {
            self.sends.met(Met::OutBuffer);
        }
        self.queue.bytes += parked.frame.len();
        self.queue.own += parked.own();
        self.queue.parked.push_back(parked);
        self.settle();
    }

    fn unpark_front(&mut self) -> Option<Parked> {
        self.unpark_at(0)
    }

    pub(super) fn unpark_at(&mut self, index: usize) -> Option<Parked> {
        let parked = self.queue.parked.remove(index)?;
        self.queue.bytes -= parked.frame.len();
        self.queue.own -= parked.own();
        if self.queue.parked.is_empty() && self.queue.parked.capacity() > KEPT_PLACES {
            self.queue.parked = VecDeque::new();
        }
        Some(parked)
    }

    fn is_half_empty(&self) -> bool {
        self.queue.parked.is_empty()
            || self.queue.parked.len() < QUEUE_PACKETS / 2 && self.buf.len() + self.queue.bytes < QUEUE_BYTES / 2
    }

    /// An empty queue takes any frame, so one that is longer than the whole queue can still be sent.
    pub(super) fn has_room(&self, len: usize) -> bool {
        (self.queue.parked.is_empty()
            || self.queue.parked.len() < QUEUE_PACKETS && self.buf.len() + self.queue.bytes + len <= QUEUE_BYTES)
            && !self.account.is_full()
    }

    /// The queue takes no more: counts which limit that is.
    #[cold]
    pub(super) fn note_full(&self) {
        self.sends.met(if self.account.is_full() {
            Met::MaxMemory
        } else if self.queue.parked.len() >= QUEUE_PACKETS {
            Met::QueuePackets
        } else {
            Met::QueueBytes
        });
    }

    /// Since when the queue has been half full or more, and packets were refused.
    pub(crate) fn refused_since(&self) -> Option<Instant> {
        self.queue.refused_since
    }
}

/// Bounds of what is queued for one connection: bytes in all, and packets that wait.
pub(crate) const QUEUE_BYTES: usize = 1024 * 1024;
pub(crate) const QUEUE_PACKETS: usize = 1024;
/// Places for waiting packets that a connection keeps when they are empty, as long as it does not rest.
const KEPT_PLACES: usize = 32;
