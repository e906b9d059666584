//! Streams under the connection's lock: what this side produces, and what it consumes.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use pnet_protocol::connection::{Credit, ReplyTo, SendRefused, Violation, Window};

use super::{CallState, HIGH_WATER, Out, micros_now, next};
use crate::{buffers, error::Closed, stream::StreamId};

/// The streams that this side produces.
#[derive(Debug)]
pub(super) struct Producers {
    /// By the number that the call has here.
    open: BTreeMap<u32, Producer>,
    serial: u64,
    /// Whether one of them waits for room in the buffer.
    wait_for_room: bool,
    /// The connection drains: streams should come to their end.
    draining: bool,
}

impl Producers {
    pub(super) const NONE: Self = Self { open: BTreeMap::new(), serial: 0, wait_for_room: false, draining: false };
}

#[derive(Debug)]
struct Producer {
    serial: u64,
    /// Where its items go.
    to: ReplyTo,
    /// `None`: the consumer takes what comes.
    credit: Option<Credit>,
    /// Who waits for credit or room, or for the end; each with its ticket.
    wakers: Vec<(u64, Waker)>,
}

/// A stream that this side consumes.
pub(crate) struct Consumer {
    /// What has come and was not taken, each with what it occupies of the window.
    items: VecDeque<(Vec<u8>, u32)>,
    window: Window,
    /// The connection's count of what nobody has taken, and this stream's part of it.
    unread: Arc<AtomicUsize>,
    held: usize,
}

impl Consumer {
    fn push(&mut self, payload: &[u8], len: u32) {
        let payload = buffers::keep(payload);
        self.hold(self.held + weigh(&payload));
        self.items.push_back((payload, len));
    }

    fn pop(&mut self) -> Option<(Vec<u8>, u32)> {
        let (payload, len) = self.items.pop_front()?;
        self.hold(self.held - weigh(&payload));
        Some((payload, len))
    }

    fn hold(&mut self, held: usize) {
        if held > self.held {
            self.unread.fetch_add(held - self.held, Ordering::Relaxed);
        } else {
            self.unread.fetch_sub(self.held - held, Ordering::Relaxed);
        }
        self.held = held;
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.hold(0);
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("items", &self.items.len()).field("held", &self.held).finish_non_exhaustive()
    }
}

/// What became of an item.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It will be written.
    Taken,
    /// No credit or no room; ask again when woken.
    Full,
    /// Never: longer than the peer takes.
    TooLong { len: u64, max: u64 },
    /// Nobody wants it any more.
    Ended,
    /// The connection is gone.
    Gone(Arc<Closed>),
}

/// Why a producer should stop.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Not at all: go on.
    Yes,
    /// The consumer has left, or the handler has ended.
    Ended,
    /// The connection is shutting down.
    Draining,
    /// The connection is gone.
    Gone(Arc<Closed>),
}

impl Consumer {
    /// The producer turns out to go by this credit.
    pub(super) fn narrow(&mut self, items: u32, bytes: u32) {
        self.window.narrow(items, bytes);
    }
}

impl Out {
    /// The peer has opened a stream.
    pub(crate) fn open_producer(&mut self, call: u32, to: ReplyTo) -> StreamId {
        self.rare.producers.serial += 1;
        let serial = self.rare.producers.serial;
        let credit = self.writer.stream_credit();
        self.rare.producers.open.insert(call, Producer { serial, to, credit, wakers: Vec::new() });
        StreamId { call, serial }
    }

    /// The stream is at its end, or its consumer has left. `false`: the call opened none.
    pub(crate) fn close_producer(&mut self, call: u32) -> bool {
        if self.rare.producers.open.is_empty() {
            return false;
        }
        let Some(producer) = self.rare.producers.open.remove(&call) else { return false };
        self.wakers.extend(producer.wakers.into_iter().map(|(_, waker)| waker));
        true
    }

    /// Takes an item. If there is no room for it, who waits is told when there is.
    pub(crate) fn item(&mut self, id: StreamId, payload: &[u8], waits: Option<(&mut Option<u64>, &Waker)>) -> Sent {
        if let Some(closed) = &self.gone {
            return Sent::Gone(Arc::clone(closed));
        }
        #[cfg(feature = "console")]
        if id.is_operators() {
            return self.collect(id, payload);
        }
        let room = self.buf.len() < HIGH_WATER;
        self.open_buf();
        let producers = &mut self.rare.producers;
        let Some(producer) = producers.open.get_mut(&id.call).filter(|known| known.serial == id.serial) else {
            return Sent::Ended;
        };
        let sent = if room && producer.credit.is_none_or(|credit| credit.is_left()) {
            // Only now, as the time is that of what is written next.
            if self.writer.needs_time() {
                self.writer.begin_batch(micros_now(), &mut self.buf);
            }
            self.writer.item(&producer.to, payload, &mut producer.credit, &mut self.buf)
        } else {
            Err(SendRefused::NoCredit)
        };
        match sent {
            Ok(()) => {
                self.settle();
                self.wake_driver();
                Sent::Taken
            }
            Err(SendRefused::TooLong { len, max }) => {
                if self.buf.is_empty() {
                    self.writer.end_batch();
                }
                Sent::TooLong { len: len as u64, max: u64::from(max) }
            }
            Err(_) => {
                if let Some((ticket, waker)) = waits {
                    producers.wait_for_room |= !room;
                    remember(&mut producer.wakers, *ticket.get_or_insert_with(|| next(&mut self.tickets)), waker);
                }
                Sent::Full
            }
        }
    }

    /// Whether the stream's items are still wanted; if so, `waker` is told when that changes.
    pub(crate) fn is_wanted(&mut self, id: StreamId, ticket: &mut Option<u64>, waker: &Waker) -> Wanted {
        if let Some(closed) = &self.gone {
            return Wanted::Gone(Arc::clone(closed));
        }
        #[cfg(feature = "console")]
        if id.is_operators() {
            let draining = self.rare.producers.draining;
            let ticket = *ticket.get_or_insert_with(|| next(&mut self.tickets));
            return self.is_collected(id, draining, ticket, waker);
        }
        let producers = &mut self.rare.producers;
        match producers.open.get_mut(&id.call).filter(|known| known.serial == id.serial) {
            None => Wanted::Ended,
            Some(_) if producers.draining => Wanted::Draining,
            Some(producer) => {
                remember(&mut producer.wakers, *ticket.get_or_insert_with(|| next(&mut self.tickets)), waker);
                Wanted::Yes
            }
        }
    }

    /// Who has this ticket does not wait any more.
    pub(crate) fn leave_stream(&mut self, id: StreamId, ticket: u64) {
        #[cfg(feature = "console")]
        if id.is_operators() {
            self.leave_collected(id, ticket);
            return;
        }
        if let Some(producer) = self.rare.producers.open.get_mut(&id.call).filter(|known| known.serial == id.serial) {
            producer.wakers.retain(|(known, _)| *known != ticket);
        }
    }

    /// The connection begins to drain: whoever produces is told.
    pub(crate) fn drain_producers(&mut self) {
        self.rare.producers.draining = true;
        self.wake_producers();
    }

    /// The consumer of a stream gives credit. It may have crossed the end.
    pub(crate) fn stream_credit(&mut self, call: u32, items: u32, bytes: u32) -> Result<(), Violation> {
        if !self.rare.producers.open.is_empty()
            && let Some(producer) = self.rare.producers.open.get_mut(&call)
            && let Some(credit) = &mut producer.credit
        {
            credit.add(items, bytes)?;
            self.wakers.extend(producer.wakers.drain(..).map(|(_, waker)| waker));
        }
        Ok(())
    }

    /// Whether the producer of a stream waits for room.
    pub(super) fn has_waiting_producers(&self) -> bool {
        self.rare.producers.wait_for_room
    }

    /// There is room in the buffer again.
    pub(super) fn wake_waiting_producers(&mut self) {
        if self.rare.producers.wait_for_room && self.buf.len() < HIGH_WATER {
            self.rare.producers.wait_for_room = false;
            self.wake_producers();
        }
    }

    pub(super) fn wake_producers(&mut self) {
        #[cfg(feature = "console")]
        self.wake_collected();
        if self.rare.producers.open.is_empty() {
            return;
        }
        for producer in self.rare.producers.open.values_mut() {
            self.wakers.extend(producer.wakers.drain(..).map(|(_, waker)| waker));
        }
    }

    /// What this side takes of a stream that it opens, as it told the peer.
    pub(super) fn new_consumer(&mut self) -> Consumer {
        Consumer {
            items: VecDeque::new(),
            window: self.writer.stream_window(&self.local),
            unread: Arc::clone(self.unread.get_or_insert_default()),
            held: 0,
        }
    }

    /// An item has come. An item of no open stream is ignored.
    pub(crate) fn item_arrived(&mut self, id: u32, payload: &[u8], len: u32) -> Result<(), Violation> {
        let Some(slot) = self.asked.calls.get_mut(id) else { return Ok(()) };
        let (CallState::Sent, Some(consumer)) = (&slot.state, &mut slot.consumer) else { return Ok(()) };
        if !consumer.window.arrived(len) {
            let (items, bytes) = consumer.window.size();
            return Err(Violation::NoItemCredit { id, items, bytes });
        }
        consumer.push(payload, len);
        self.wakers.extend(slot.waker.take());
        self.settle();
        Ok(())
    }

    /// The next item that has come.
    pub(crate) fn take_item(&mut self, id: u32) -> Option<Vec<u8>> {
        let slot = self.asked.calls.get_mut(id)?;
        let consumer = slot.consumer.as_mut()?;
        let (payload, len) = consumer.pop()?;
        let due = consumer.window.finished(len);
        let open = matches!(slot.state, CallState::Sent) && self.gone.is_none() && self.deaf.is_none();
        self.settle();
        if let Some((items, bytes)) = due.filter(|_| open) {
            self.date();
            self.writer.stream_credit_due(id, items, bytes, &mut self.buf);
            self.wake_driver();
        }
        Some(payload)
    }

    /// Whether this side has as many streams open as the peer takes.
    pub(super) fn has_all_streams(&mut self) -> bool {
        let mut open = 0_usize;
        self.each_call(|slot| open += usize::from(slot.stream && slot.is_open()));
        u32::try_from(open).is_ok_and(|open| open >= self.writer.max_streams())
    }
}

/// What an item occupies: of a short one in a buffer that was used before, more than its length.
const fn weigh(payload: &Vec<u8>) -> usize {
    payload.capacity() + size_of::<(Vec<u8>, u32)>()
}

/// Keeps one waker for each ticket.
pub(super) fn remember(wakers: &mut Vec<(u64, Waker)>, ticket: u64, waker: &Waker) {
    match wakers.iter_mut().find(|(known, _)| *known == ticket) {
        Some((_, known)) => known.clone_from(waker),
        None => wakers.push((ticket, waker.clone())),
    }
}
