//! The streams that this side produces.

use std::{
    sync::Arc,
    task::{Poll, Waker},
};

use pnet_protocol::connection::{HIGH_WATER, ItemRefused, ReplyTo, StreamId, Violation, Wanted};

#[cfg(feature = "console")]
use super::operators::is_operators;
use super::{
    Outbox,
    batch::{micros_now, open},
    refused,
};
use crate::error::SendError;

impl Outbox {
    /// The peer has opened a stream.
    pub(crate) fn open_producer(&mut self, call: u32, to: ReplyTo) -> StreamId {
        self.rare.producers.open(call, to, self.writer.stream_credit())
    }

    /// The stream is at its end, or its consumer has left. `false`: the call opened none.
    pub(crate) fn close_producer(&mut self, call: u32) -> bool {
        self.rare.get_mut().is_some_and(|rare| rare.producers.close(call, &mut self.wakers))
    }

    /// Takes an item. If there is no room for it, who waits is told when there is.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is no credit or no room; else why it can never be sent.
    pub(crate) fn item(
        &mut self,
        id: StreamId,
        payload: &[u8],
        waits: Option<(&mut Option<u64>, &Waker)>,
    ) -> Result<(), SendError> {
        if let Some(closed) = &self.gone {
            return Err(SendError::Disconnected(Arc::clone(closed)));
        }
        #[cfg(feature = "console")]
        if is_operators(id) {
            return self.collect(id, payload);
        }
        let room = self.buf.len() < HIGH_WATER;
        match self.rare.producers.place(id, room) {
            Ok((to, credit)) => {
                open(&mut self.buf);
                // Only now, as the time is that of what is written next.
                if self.writer.needs_time() {
                    self.writer.begin_batch(micros_now(), &mut self.buf);
                }
                if let Err(error) = self.writer.item(to, payload, credit, &mut self.buf) {
                    if self.buf.is_empty() {
                        self.writer.end_batch();
                    }
                    return Err(refused(error));
                }
                self.settle();
                self.wake_driver();
                Ok(())
            }
            Err(ItemRefused::Ended) => Err(SendError::Cancelled),
            Err(ItemRefused::Full) => {
                if let Some((ticket, waker)) = waits {
                    self.rare.producers.wait(id, room, ticket, waker);
                }
                Err(SendError::Full)
            }
        }
    }

    /// Why the stream should come to its end; pending while its items are wanted, and `waker` is told when that changes.
    pub(crate) fn poll_unwanted(&mut self, id: StreamId, ticket: &mut Option<u64>, waker: &Waker) -> Poll<SendError> {
        if let Some(closed) = &self.gone {
            return Poll::Ready(SendError::Disconnected(Arc::clone(closed)));
        }
        #[cfg(feature = "console")]
        if is_operators(id) {
            return self.poll_uncollected(id, ticket, waker);
        }
        match self.rare.producers.is_wanted(id) {
            Wanted::Ended => Poll::Ready(SendError::Cancelled),
            Wanted::Draining => Poll::Ready(SendError::ShuttingDown),
            Wanted::Yes => {
                self.rare.producers.wait(id, true, ticket, waker);
                Poll::Pending
            }
        }
    }

    /// Who has this ticket does not wait any more.
    pub(crate) fn leave_stream(&mut self, id: StreamId, ticket: u64) {
        #[cfg(feature = "console")]
        if is_operators(id) {
            self.leave_collected(id, ticket);
            return;
        }
        if let Some(rare) = self.rare.get_mut() {
            rare.producers.leave(id, ticket);
        }
    }

    /// The connection begins to drain: whoever produces is told.
    pub(crate) fn drain_producers(&mut self) {
        self.rare.producers.drain();
        self.wake_producers();
    }

    /// The consumer of a stream gives credit.
    pub(crate) fn stream_credit(&mut self, call: u32, items: u32, bytes: u32) -> Result<(), Violation> {
        let Some(rare) = self.rare.get_mut() else { return Ok(()) };
        rare.producers.credit(call, items, bytes, &mut self.wakers)
    }

    /// There is room in the buffer again, or the end is near.
    pub(super) fn wake_producers(&mut self) {
        if let Some(rare) = self.rare.get_mut() {
            rare.producers.wake(&mut self.wakers);
            #[cfg(feature = "console")]
            if let Some(operators) = &mut rare.operators {
                operators.wake(&mut self.wakers);
            }
        }
    }
}
