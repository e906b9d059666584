//! What a driver hands on: the packets and calls that arrive, to a service's handlers or an inbox; and what comes back.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use pnet_protocol::{connection::ReplyTo, failure::Failure, reply::Verdict};

use crate::{
    connection::Meta,
    counts::Stopwatch,
    error::{Closed, Refused},
};

/// What becomes of the packets and calls that arrive: a service's handlers, or an inbox.
pub(crate) trait Dispatch: Send + 'static {
    /// Runs the connect handler; nothing is started before it is done.
    fn poll_join(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Refused>>;
    /// Takes a packet or call that has arrived: its handler runs at once, as far as it goes, if nothing has to run before it.
    fn admit(&mut self, job: &Job, payload: &[u8], waker: &Waker, answering: &mut dyn Answering);
    /// Goes on with what was woken. `true` if anything happened.
    fn poll(&mut self, waker: &Waker, answering: &mut dyn Answering) -> bool;
    /// Nothing happens for now: gives back what others may use meanwhile.
    fn rest(&mut self);
    /// The caller does not wait any more. `true` if the call is gone, `false` if it runs on.
    fn cancel(&mut self, kind: JobKind) -> bool;
    /// The peer is gone: drops everything but handlers that run to their end.
    fn cancel_all(&mut self);
    /// Drops everything; how many calls that were.
    fn kill(&mut self) -> usize;
    /// Whether nothing runs and nothing waits.
    fn is_idle(&self) -> bool;
    /// Whether something waits that may have become able to start.
    fn has_queued(&self) -> bool;
    /// Bytes of what waits and of what runs.
    fn holds(&self) -> usize;
    /// Runs the disconnect handler, last and once.
    fn poll_leave(&mut self, closed: &Arc<Closed>, task: &mut Context<'_>) -> Poll<()>;
}

/// One packet or call that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) action: u16,
    /// The call's id, or the length of the one-way packet's frame.
    pub(crate) kind: JobKind,
    /// Where its answer goes, or that of its fault.
    pub(crate) to: ReplyTo,
    pub(crate) meta: Meta,
    pub(crate) timed: Stopwatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    Call {
        id: u32,
    },
    OneWay {
        frame_len: u32,
    },
    /// An operator's, as if the peer had sent it; a call or not as [`Meta::is_call`] says.
    #[cfg(feature = "console")]
    Operator {
        id: u32,
    },
}

impl JobKind {
    /// The call's id, if the peer has called.
    #[inline]
    pub(crate) const fn call(self) -> Option<u32> {
        if let Self::Call { id } = self { Some(id) } else { None }
    }
}

/// Where jobs are answered, and what else is to be done about their end: the credit is returned, the mistake counted.
pub(crate) trait Answering {
    /// The payload of the job's answer is appended to this next, and then the job [ends](Self::end).
    fn begin(&mut self, job: &Job) -> &mut Vec<u8>;
    /// The job has ended; what is its answer was appended since it was [begun](Self::begin).
    fn end(&mut self, job: &Job, outcome: Result<Verdict, Failure>);
    /// Whether so much waits to be written that no new work should be started.
    fn is_overfull(&self) -> bool;
    /// The job has ended without an answer.
    fn fail(&mut self, job: &Job, failure: Failure) {
        self.begin(job);
        self.end(job, Err(failure));
    }
}
