//! The reusable place in which an `async fn` handler runs.
//!
//! The handler's future owns its [`Kit`], decodes inside (so a packet may borrow from the frame without `unsafe`), and gives
//! the kit back: one pointer each way. The boxes stay where they are and take the next future of the same handler.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pnet_protocol::{failure::Failure, reply::Verdict};

use super::Cx;
use crate::{
    buffers,
    connection::Meta,
    service::{Service, Slot},
};

/// What one run of an `async fn` handler owns.
pub struct Kit<S: Service> {
    /// There while it belongs to a connection.
    cx: Option<Cx<S>>,
    frame: Vec<u8>,
    answer: Vec<u8>,
    /// What the bytes of the answer are, or why there are none.
    outcome: Result<Verdict, Failure>,
}

impl<S: Service> Kit<S> {
    /// No handler runs with it yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { cx: None, frame: Vec::new(), answer: Vec::new(), outcome: Ok(Verdict::Nothing) }
    }

    /// The surroundings, the payload, and where the answer is encoded.
    ///
    /// # Panics
    ///
    /// If it belongs to no connection, which no kit does that a handler was started with.
    pub fn parts(&mut self) -> (&Cx<S>, &[u8], &mut Vec<u8>) {
        let cx = self.cx.as_ref().expect("a handler is started on a connection");
        (cx, &self.frame, &mut self.answer)
    }

    /// The handler has ended like this.
    #[must_use]
    pub fn end(mut self: Box<Self>, outcome: Result<Verdict, Failure>) -> Box<Self> {
        self.outcome = outcome;
        self
    }

    fn fill(&mut self, around: &Cx<S>, meta: &Meta, payload: &[u8]) {
        match &mut self.cx {
            Some(cx) => cx.set_meta(meta),
            None => self.cx = Some(Cx::new(Arc::clone(around.link()), meta.clone())),
        }
        if self.frame.capacity() == 0 || payload.len() > buffers::SMALL_CAPACITY {
            self.frame = buffers::keep(payload);
        } else {
            self.frame.clear();
            self.frame.extend_from_slice(payload);
        }
        // The handler may wait for long, and holds both meanwhile.
        if self.answer.capacity() > buffers::SMALL_CAPACITY {
            buffers::give(std::mem::take(&mut self.answer));
        }
        if self.answer.capacity() == 0 {
            self.answer = buffers::keep(&[]);
        } else {
            self.answer.clear();
        }
    }

    /// Bytes that it holds while a handler runs.
    const fn holds(&self) -> usize {
        self.frame.capacity() + self.answer.capacity()
    }

    /// What is long goes at once.
    fn tidy(&mut self) {
        if self.frame.capacity() > buffers::SMALL_CAPACITY {
            buffers::give(std::mem::take(&mut self.frame));
        }
    }

    /// Another connection may be the next that has it.
    fn leave(&mut self) {
        self.cx = None;
        buffers::give(std::mem::take(&mut self.frame));
        buffers::give(std::mem::take(&mut self.answer));
    }
}

impl<S: Service> Default for Kit<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Service> fmt::Debug for Kit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").field("cx", &self.cx).finish_non_exhaustive()
    }
}

/// A slot with the kit that its handlers use one after the other.
pub(crate) struct Seat<S: Service> {
    slot: Box<dyn Slot<S>>,
    /// There while no handler runs.
    kit: Option<Box<Kit<S>>>,
    /// As wide as the rest, since all of it is moved for every call: narrow parts are moved in pieces that a processor waits
    /// for.
    action: usize,
}

impl<S: Service> Seat<S> {
    pub(crate) fn new(action: u16, slot: Box<dyn Slot<S>>) -> Self {
        Self { slot, kit: None, action: action.into() }
    }

    /// The number of the action whose handlers it is for.
    pub(crate) const fn action(&self) -> usize {
        self.action
    }

    /// Starts the handler, for a packet on the connection of `around`. The payload is copied; how many bytes it holds then.
    pub(crate) fn start(&mut self, around: &Cx<S>, meta: &Meta, payload: &[u8]) -> usize {
        let mut kit = self.kit.take().unwrap_or_default();
        kit.fill(around, meta, payload);
        let holds = kit.holds();
        self.slot.start(kit);
        holds
    }

    /// As [`Slot::poll`].
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Result<Verdict, Failure>> {
        let Poll::Ready(mut kit) = self.slot.poll(task) else { return Poll::Pending };
        let outcome = std::mem::replace(&mut kit.outcome, Ok(Verdict::Nothing));
        kit.tidy();
        self.kit = Some(kit);
        Poll::Ready(outcome)
    }

    /// The encoded answer of the handler that finished last, until the next one is started.
    pub(crate) fn answer(&self) -> &[u8] {
        self.kit.as_ref().map_or(&[], |kit| &kit.answer)
    }

    /// As [`Slot::clear`].
    pub(crate) fn clear(&mut self) {
        self.slot.clear();
    }

    /// Lets go of the connection and of memory. No handler runs.
    pub(crate) fn leave(&mut self) {
        if let Some(kit) = &mut self.kit {
            kit.leave();
        }
    }
}

pub(crate) struct Kept<F, G> {
    make: G,
    future: Pin<Box<Option<F>>>,
}

impl<F, G> Kept<F, G> {
    pub(crate) fn new(make: G) -> Self {
        Self { make, future: Box::pin(None) }
    }
}

impl<S, F, G> Slot<S> for Kept<F, G>
where
    S: Service,
    F: Future<Output = Box<Kit<S>>> + Send,
    G: Fn(Box<Kit<S>>) -> F + Send,
{
    fn start(&mut self, kit: Box<Kit<S>>) {
        self.future.set(Some((self.make)(kit)));
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Box<Kit<S>>> {
        // One that has finished holds nothing any more: its place is free for the next as it is.
        let Some(future) = self.future.as_mut().as_pin_mut() else { is_empty() };
        future.poll(task)
    }

    fn clear(&mut self) {
        self.future.set(None);
    }
}

#[cold]
fn is_empty() -> ! {
    panic!("a slot is polled only after it was started")
}
