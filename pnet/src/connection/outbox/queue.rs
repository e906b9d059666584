//! What is parked, and what goes into the out-buffer when it may.

use std::task::Waker;

use bytes::Bytes;
use pnet_protocol::connection::{HIGH_WATER, Parked, Queue};
use tokio::time::Instant;

use super::Outbox;
use crate::{
    counts::{Met, Which},
    seldom::Empty,
};

impl Empty for Queue<Bytes, Waker> {
    const EMPTY: Self = Self::new();
    const READ: &'static Self = &Self::EMPTY;
}

impl Outbox {
    /// A packet was refused for want of room, and nobody waits for it. From the first one on, the driver watches whether
    /// the queue becomes shorter.
    pub(crate) fn refuse(&mut self) {
        if self.queue.refuse(Instant::now().into_std()) {
            self.wake_anyway();
        }
    }

    /// Since when the queue has been half full or more, and packets were refused.
    pub(crate) fn refused_since(&self) -> Option<Instant> {
        self.queue.refused_since().map(Instant::from_std)
    }

    /// Moves what now may go from the parked to the buffer, and tells waiting senders of room. Call it whenever credit
    /// came, a call ended or the buffer was taken.
    #[inline]
    pub(crate) fn unpark(&mut self) {
        if self.queue.is_taken() || self.rare.producers.awaits_room() {
            self.unpark_some();
        }
    }

    fn unpark_some(&mut self) {
        while self.ahead().has_room() {
            let Some(front) = self.queue.front() else { break };
            let may_go = match front.call {
                Some(id) => match self.calls.table.parked(id) {
                    Some(stream) => stream || self.writer.can_call(),
                    // Dropped or timed out before it was sent.
                    None => {
                        self.queue.take_front();
                        continue;
                    }
                },
                None => self.writer.can_send_packet(),
            };
            if !may_go {
                break;
            }
            let Some(parked) = self.queue.take_front() else { break };
            match parked.call {
                Some(id) => self.write_parked_call(id, &parked),
                None => self.write_packet(parked.action, &parked.frame),
            }
        }
        if let Some(queue) = self.queue.get_mut() {
            queue.watch(self.buf.len());
        }
        self.wake_room();
        if self.rare.producers.awaits_room() && self.buf.len() < HIGH_WATER {
            self.wake_producers();
        }
    }

    fn write_parked_call(&mut self, id: u32, parked: &Parked<Bytes>) {
        self.begin_batch();
        self.sent.calls += 1;
        self.buf.extend_from_slice(&parked.frame);
        let timed = self.sends.call(Which::new(parked.action));
        let stream = self.calls.table.parked(id).unwrap_or_default();
        if let Some(caller) = self.calls.table.start(id) {
            caller.timed = timed;
        }
        self.writer.call_started(id, parked.action, stream, &mut self.buf);
    }

    /// Tells waiting senders of room, if there is some.
    pub(crate) fn wake_room(&mut self) {
        if self.queue.awaits_room() && self.has_room(0) && !self.is_next() {
            self.wake_senders();
        }
    }

    /// Wakes whoever waits for room.
    pub(super) fn wake_senders(&mut self) {
        if let Some(queue) = self.queue.get_mut() {
            queue.room().wake(&mut self.wakers);
        }
    }

    /// Queues up for room. The ticket is the sender's, who gives it back if it does not wait any more.
    pub(crate) fn wait_for_room(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        self.queue.room().wait(ticket, waker);
        // It is the driver that looks for room, here and in the server's budget.
        if self.account.is_full() && self.driver.as_ref().is_some_and(|driver| !self.account.wait_to_send(driver)) {
            self.wake_anyway();
        }
    }

    pub(crate) fn leave_queue(&mut self, ticket: u64) {
        if let Some(queue) = self.queue.get_mut() {
            queue.room().leave(ticket);
        }
    }

    pub(super) fn park(&mut self, parked: Parked<Bytes>) {
        if self.buf.len() >= HIGH_WATER {
            self.sends.met(Met::OutBuffer);
        }
        self.queue.park(parked);
        self.settle();
    }

    pub(super) fn has_room(&self, len: usize) -> bool {
        self.queue.has_room(self.ahead(), len) && !self.account.is_full()
    }

    /// The queue takes no more: counts which limit that is.
    #[cold]
    pub(super) fn note_full(&self) {
        self.sends.met(if self.account.is_full() {
            Met::MaxMemory
        } else if self.queue.is_long() {
            Met::QueuePackets
        } else {
            Met::QueueBytes
        });
    }
}
