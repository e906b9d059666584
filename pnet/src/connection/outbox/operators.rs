//! Handlers that operators run, under the connection's lock: on their way to the driver, and what comes of them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    task::{Poll, Waker},
};

use pnet_protocol::{
    connection::{StreamId, Waiters},
    failure::Failure,
    reply::Verdict,
};
use tokio::sync::oneshot;

use super::{Outbox, Wakers};
use crate::{
    connection::Meta,
    error::{Closed, SendError},
};

/// A packet that an operator has made, as if the peer had sent it.
pub(crate) struct Injected {
    pub(crate) id: u32,
    pub(crate) action: u16,
    pub(crate) meta: Meta,
    pub(crate) payload: Vec<u8>,
}

/// Without the payload.
impl fmt::Debug for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injected").field("id", &self.id).field("action", &self.meta.action).finish_non_exhaustive()
    }
}

/// How a handler has ended, and its answer.
pub(crate) type Outcome = (Result<Verdict, Failure>, Vec<u8>);

/// What the operators of a connection have under way.
#[derive(Debug, Default)]
pub(crate) struct Operators {
    last: u32,
    asked: Asked,
    /// Who waits for the end of a handler.
    waiting: Vec<(u32, oneshot::Sender<Outcome>)>,
    /// The streams they have opened.
    streams: BTreeMap<u32, Collected>,
}

/// What the driver has to do for operators.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// What it has to admit, in this order.
    pub(crate) coming: Vec<Injected>,
    /// Whose runs nobody waits for any more.
    pub(crate) left: Vec<u32>,
}

/// Items of a stream that an operator has opened.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) items: Vec<Vec<u8>>,
    bytes: usize,
    /// There was one that had no room: the stream is at its end.
    pub(crate) cut: bool,
    waiters: Waiters<Waker>,
}

/// Without the items.
impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").field("items", &self.items.len()).field("cut", &self.cut).finish_non_exhaustive()
    }
}

/// Why a packet was not injected.
pub(crate) enum NotInjected {
    Gone(Arc<Closed>),
    Busy,
}

/// What is to be let go of, outside of the lock.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) collected: Option<Collected>,
    _waiting: Option<oneshot::Sender<Outcome>>,
}

impl Operators {
    pub(crate) const fn have_asked(&self) -> bool {
        !self.asked.coming.is_empty() || !self.asked.left.is_empty()
    }

    /// Whether nobody waits for anything.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        !self.have_asked() && self.waiting.is_empty() && self.streams.is_empty()
    }

    /// Wakes those who wait for the end of a stream.
    pub(super) fn wake(&mut self, wakers: &mut Wakers) {
        self.streams.values_mut().for_each(|collected| collected.waiters.wake(wakers));
    }

    pub(crate) fn take(&mut self) -> Asked {
        std::mem::take(&mut self.asked)
    }
}

impl Outbox {
    /// Leaves a packet for the driver; the run's number, and what waits for what comes of it.
    pub(crate) fn inject(
        &mut self,
        action: u16,
        payload: Vec<u8>,
        meta: Meta,
        stream: bool,
    ) -> Result<(u32, oneshot::Receiver<Outcome>), NotInjected> {
        if let Some(closed) = &self.gone {
            return Err(NotInjected::Gone(Arc::clone(closed)));
        }
        let operators = self.rare.operators.get_or_insert_default();
        if operators.waiting.len() >= MAX_RUNS {
            return Err(NotInjected::Busy);
        }
        operators.last = operators.last.wrapping_add(1);
        let id = operators.last;
        let (sender, receiver) = oneshot::channel();
        operators.waiting.push((id, sender));
        let mut meta = meta;
        if stream {
            operators.streams.insert(id, Collected::default());
            meta.stream = Some(StreamId { call: id, serial: OPERATOR });
        }
        operators.asked.coming.push(Injected { id, action, meta, payload });
        self.wake_anyway();
        Ok((id, receiver))
    }

    /// What operators have asked the driver for.
    pub(crate) fn take_injected(&mut self) -> Asked {
        let operators = self.rare.get_mut().and_then(|rare| rare.operators.as_mut());
        operators.map(|operators| operators.take()).unwrap_or_default()
    }

    /// Who waits for the end of this run.
    pub(crate) fn operator_of(&mut self, id: u32) -> Option<oneshot::Sender<Outcome>> {
        let waiting = &mut self.rare.operators.as_mut()?.waiting;
        let index = waiting.iter().position(|(known, _)| *known == id)?;
        Some(waiting.swap_remove(index).1)
    }

    /// The operator does not wait any more: what has not begun never will, and what runs is to be cancelled.
    pub(crate) fn leave_run(&mut self, id: u32) -> Left {
        let waiting = self.operator_of(id);
        let Some(operators) = &mut self.rare.operators else {
            return Left { collected: None, _waiting: waiting };
        };
        let mut collected = operators.streams.remove(&id);
        if let Some(collected) = &mut collected {
            collected.waiters.wake(&mut self.wakers);
        }
        let coming = operators.asked.coming.len();
        operators.asked.coming.retain(|injected| injected.id != id);
        // One that has ended is not cancelled; one that was told of is on its way.
        if waiting.is_some() && operators.asked.coming.len() == coming && self.gone.is_none() {
            operators.asked.left.push(id);
            self.wake_anyway();
        }
        Left { collected, _waiting: waiting }
    }

    /// Takes an item of an operator's stream. There is no waiting for room: what has none ends the stream.
    pub(super) fn collect(&mut self, id: StreamId, payload: &[u8]) -> Result<(), SendError> {
        let collected = self.collected(id).ok_or(SendError::Cancelled)?;
        let bytes = collected.bytes + payload.len();
        if collected.cut || collected.items.len() >= MAX_ITEMS || bytes > MAX_BYTES {
            collected.cut = true;
            return Err(SendError::Cancelled);
        }
        collected.bytes = bytes;
        collected.items.push(payload.to_vec());
        Ok(())
    }

    /// As [`poll_unwanted`](Self::poll_unwanted).
    pub(super) fn poll_uncollected(
        &mut self,
        id: StreamId,
        ticket: &mut Option<u64>,
        waker: &Waker,
    ) -> Poll<SendError> {
        let draining = self.rare.producers.is_draining();
        match self.collected(id) {
            Some(_) if draining => Poll::Ready(SendError::ShuttingDown),
            Some(collected) if !collected.cut => {
                collected.waiters.wait(ticket, waker);
                Poll::Pending
            }
            _ => Poll::Ready(SendError::Cancelled),
        }
    }

    pub(super) fn leave_collected(&mut self, id: StreamId, ticket: u64) {
        if let Some(collected) = self.collected(id) {
            collected.waiters.leave(ticket);
        }
    }

    fn collected(&mut self, id: StreamId) -> Option<&mut Collected> {
        self.rare.operators.as_mut()?.streams.get_mut(&id.call)
    }
}

/// Whether an operator has opened the stream.
pub(super) fn is_operators(id: StreamId) -> bool {
    id.serial == OPERATOR
}

/// No peer opens so many streams.
const OPERATOR: u64 = u64::MAX;
/// Runs of operators on one connection, so that they cannot fill what waits for its turn.
pub(crate) const MAX_RUNS: usize = 64;
/// Items of a stream that an operator is shown, and the bytes of their payloads.
const MAX_ITEMS: usize = 100;
const MAX_BYTES: usize = 256 * 1024;
