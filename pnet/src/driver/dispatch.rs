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
    /// Whether the handler of an action is a `fn`, which never waits.
    fn is_fn(&self, action: u16) -> bool;
    /// Runs the handler of an action, as far as it goes without waiting, if nothing has to run before it. Its answer is
    /// appended to `out`.
    fn run_now(&mut self, arrived: &Arrived<'_>, waker: &Waker, out: &mut Vec<u8>) -> Ran;
    /// Takes a job.
    fn admit(&mut self, job: Job, payload: &[u8], waker: &Waker, ended: &mut dyn Ended);
    /// Goes on with what was woken. `true` if anything happened.
    fn poll(&mut self, waker: &Waker, ended: &mut dyn Ended) -> bool;
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

/// A job whose handler may be run on the spot.
pub(crate) struct Arrived<'a> {
    pub(crate) action: u16,
    pub(crate) kind: JobKind,
    pub(crate) to: &'a ReplyTo,
    pub(crate) meta: &'a Meta,
    pub(crate) timed: Stopwatch,
    /// The read buffer's.
    pub(crate) payload: &'a [u8],
}

/// What became of it.
pub(crate) enum Ran {
    /// Nothing: it is to be admitted.
    Not,
    /// It has taken a place, as its handler waits.
    Waits,
    /// Its handler has ended.
    Ended(Result<Verdict, Failure>),
}

/// What the driver has to do about ended jobs: write the answer, return the credit, count the mistake.
pub(crate) trait Ended {
    fn ended(&mut self, job: &Job, outcome: Result<Verdict, Failure>, payload: &[u8]);
    /// Whether so much waits to be written that no new work should be started.
    fn is_overfull(&self) -> bool;
}
