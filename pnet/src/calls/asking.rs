//! A call on its way, whatever answers it: queued, timed, given up.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use pnet_protocol::packet::EncodeError;
use tokio::time::{Instant, Sleep};

use super::line::Route;
use crate::{
    buffers,
    connection::{Asked, CallState, Conn, Short, Until, waiting},
    error::{CallError, Closed},
};

/// A call that is encoded. It is queued when it is polled for the first time, and given up when it is dropped.
pub(crate) struct Asking {
    conn: Arc<Conn>,
    state: State,
    timeout: Option<Duration>,
    /// Whether the time of the handler that calls was looked at.
    inherited: bool,
    /// There once it could not be queued at once.
    unqueued: Option<Box<Unqueued>>,
    route: Route,
}

/// The wait for a connection, or for room in its queue.
#[derive(Default)]
struct Unqueued {
    /// Ends it; the wait for the answer is timed by the driver.
    timer: Option<Pin<Box<Sleep>>>,
    /// In the queue for room.
    ticket: Option<u64>,
}

/// What comes next of a stream.
pub(crate) enum Next {
    Item(Vec<u8>),
    End(CallState, Option<Arc<Closed>>),
}

/// Why a call was not made, behind one pointer: that is what most polls would have to carry around for nothing.
pub(crate) struct NotMade(Box<CallError>);

impl From<CallError> for NotMade {
    #[cold]
    fn from(error: CallError) -> Self {
        Self(Box::new(error))
    }
}

impl<E> From<NotMade> for CallError<E> {
    #[cold]
    fn from(NotMade(error): NotMade) -> Self {
        error.try_map_declared(|never| match never {})
    }
}

enum State {
    /// Encoded, not queued.
    Ready {
        action: u16,
        payload: Vec<u8>,
    },
    Refused(Box<EncodeError>),
    /// Queued under this id.
    Waiting(u32),
    Done,
}

impl Asking {
    /// Encodes a call by `encode`, user code, which runs under no lock. It goes where the route says if `conn` is gone.
    #[inline]
    pub(crate) fn new(
        conn: Arc<Conn>,
        route: Route,
        action: u16,
        timeout: Option<Duration>,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Self {
        let mut payload = buffers::take();
        let state = match encode(&mut payload) {
            Ok(()) => State::Ready { action, payload },
            Err(error) => State::Refused(Box::new(error)),
        };
        Self { conn, state, timeout, inherited: false, unqueued: None, route }
    }

    pub(crate) const fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }

    pub(crate) const fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// The id of the call, once it is queued.
    #[inline]
    pub(crate) const fn queued(&self) -> Option<u32> {
        if let State::Waiting(id) = self.state { Some(id) } else { None }
    }

    /// Queues the call, which was not done yet. Whatever comes of it from then on wakes its task.
    ///
    /// # Panics
    ///
    /// If it was ready before: a call that failed must not be made after all.
    pub(crate) fn poll_queued(&mut self, task: &mut Context<'_>) -> Poll<Result<(), NotMade>> {
        let polled = self.poll_queue(task);
        if let Poll::Ready(Err(_)) = polled {
            self.state = State::Done;
        }
        polled
    }

    #[inline]
    fn poll_queue(&mut self, task: &mut Context<'_>) -> Poll<Result<(), NotMade>> {
        self.inherit()?;
        let State::Ready { action, payload } = &mut self.state else { return Poll::Ready(Err(self.refusal())) };
        let disconnected = |why| NotMade::from(CallError::Disconnected { sent: false, why });
        let mut out = loop {
            match self.route.poll(&mut self.conn, task) {
                Poll::Ready(found) => found.map_err(disconnected)?,
                Poll::Pending => return self.poll_unqueued(task).map(Err),
            }
            let out = self.conn.out();
            let Some(closed) = out.unanswerable().cloned() else { break out };
            drop(out);
            if let Some(unqueued) = &mut self.unqueued {
                unqueued.ticket = None;
            }
            self.route.leave(&mut self.conn, closed).map_err(disconnected)?;
        };
        let timer = self.unqueued.as_ref().and_then(|unqueued| unqueued.timer.as_ref());
        let (timeout_ms, until) = match (timer, self.timeout) {
            (Some(timer), _) => {
                let left = timer.deadline().saturating_duration_since(Instant::now());
                (millis(left).max(1), Until::At(timer.deadline()))
            }
            (None, Some(timeout)) => (millis(timeout), Until::After(timeout)),
            (None, None) => (0, Until::Open),
        };
        let asked = Asked { action: *action, info: self.conn.action(*action), payload, timeout_ms, until };
        if let Some(id) = out.call(asked, task.waker()).map_err(NotMade)? {
            drop(out);
            buffers::give(std::mem::take(payload));
            self.state = State::Waiting(id);
            waiting::note(&self.conn);
            return Poll::Ready(Ok(()));
        }
        out.wait_for_room(&mut self.unqueued.get_or_insert_default().ticket, task.waker());
        drop(out);
        waiting::note(&self.conn);
        self.poll_unqueued(task).map(Err)
    }

    /// Why a call that is not ready to be queued never will be.
    #[cold]
    fn refusal(&mut self) -> NotMade {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Refused(error) => CallError::Encode(*error).into(),
            _ => panic!("a call was polled after it was ready"),
        }
    }

    /// What a handler calls while it runs, on whatever connection, has no more time than its own caller gives it.
    fn inherit(&mut self) -> Result<(), NotMade> {
        if std::mem::replace(&mut self.inherited, true) {
            return Ok(());
        }
        let Some(deadline) = waiting::deadline() else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if self.timeout.is_none_or(|timeout| left < timeout) {
            self.timeout = Some(left);
        }
        if left.is_zero() { Err(CallError::TimedOut { after: left }.into()) } else { Ok(()) }
    }

    /// Waits for a connection or for room in the queue, as long as the call may last.
    fn poll_unqueued(&mut self, task: &mut Context<'_>) -> Poll<NotMade> {
        if let Some(after) = self.timeout {
            let unqueued = self.unqueued.get_or_insert_default();
            let timer = unqueued.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
            if timer.as_mut().poll(task).is_ready() {
                return Poll::Ready(CallError::TimedOut { after }.into());
            }
        }
        Poll::Pending
    }

    /// The reply to the queued call, if it has come and is short.
    #[inline]
    pub(crate) fn take_reply<'a>(&mut self, id: u32, short: &'a mut Short) -> Option<&'a [u8]> {
        let reply = self.conn.out().take_reply(id, short);
        if reply.is_some() {
            self.state = State::Done;
        }
        reply
    }

    /// How the queued call ended, and why the connection is gone, if it is. Pending while it has not.
    /// A short payload is copied to `short`.
    pub(crate) fn poll_outcome(
        &mut self,
        id: u32,
        task: &Context<'_>,
        short: &mut Short,
    ) -> Poll<(CallState, Option<Arc<Closed>>)> {
        let outcome = self.conn.out().outcome(id, task.waker(), short);
        self.look_at(outcome)
    }

    /// The next item of the queued call's stream, or else how it ended. Both are looked for under one lock: what comes
    /// between two looks would be missed.
    pub(crate) fn poll_item(&mut self, id: u32, task: &Context<'_>, short: &mut Short) -> Poll<Next> {
        let mut out = self.conn.out();
        if let Some(item) = out.take_item(id) {
            return Poll::Ready(Next::Item(item));
        }
        let outcome = out.outcome(id, task.waker(), short);
        drop(out);
        self.look_at(outcome).map(|(state, closed)| Next::End(state, closed))
    }

    fn look_at<T>(&mut self, outcome: Option<T>) -> Poll<T> {
        let Some(outcome) = outcome else {
            waiting::note(&self.conn);
            return Poll::Pending;
        };
        self.state = State::Done;
        Poll::Ready(outcome)
    }

    /// The error of a call that ended without an answer of its peer.
    pub(crate) fn unanswered<E>(&self, state: &CallState, closed: Option<Arc<Closed>>) -> CallError<E> {
        match state {
            CallState::TimedOut { .. } => CallError::TimedOut { after: self.timeout.unwrap_or_default() },
            CallState::Lost { sent } => {
                let why = closed.unwrap_or_else(|| Arc::new(Closed::unknown()));
                CallError::Disconnected { sent: *sent, why }
            }
            CallState::Answered(_) | CallState::Parked | CallState::Sent | CallState::Abandoned => {
                unreachable!("the outcome is an end without an answer")
            }
        }
    }
}

impl Asking {
    /// Nobody waits any more.
    pub(crate) fn give_up(&mut self) {
        if let State::Waiting(id) = std::mem::replace(&mut self.state, State::Done) {
            self.conn.out().cancel_call(id);
        }
        if let Some(ticket) = self.unqueued.as_mut().and_then(|unqueued| unqueued.ticket.take()) {
            self.conn.out().leave_queue(ticket);
        }
    }
}

impl Drop for Asking {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.state, State::Done) || self.unqueued.is_some() {
            self.give_up();
        }
    }
}

pub(crate) fn failed<E>(code: &str, message: &str) -> CallError<E> {
    CallError::Failed { code: code.to_owned(), message: message.to_owned() }
}

/// Whole milliseconds, rounded up, so that the peer never gives up before this side does.
fn millis(timeout: Duration) -> u32 {
    let millis =
        timeout.as_secs().saturating_mul(1000).saturating_add(u64::from(timeout.subsec_nanos().div_ceil(1_000_000)));
    u32::try_from(millis).unwrap_or(0)
}
