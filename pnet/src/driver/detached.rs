//! The task of a [detached](Conn::detached) connection: a driver without a transport.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pnet_protocol::{close::CloseCode, connection::ReplyTo, failure::Failure, reply::Verdict};

use super::{
    dispatch::{Answering, Dispatch, Job, JobKind},
    ended_early,
};
use crate::{
    connection::{Conn, Injected},
    counts::Stopwatch,
    error::{Closed, ClosedBy},
};

/// The task of a [detached](Conn::detached) connection: it admits what was injected before, and ends with that.
pub(crate) struct Detached {
    conn: Arc<Conn>,
    dispatch: Box<dyn Dispatch>,
}

impl Detached {
    pub(crate) fn new(conn: Arc<Conn>, dispatch: Box<dyn Dispatch>) -> Self {
        Self { conn, dispatch }
    }
}

impl Future for Detached {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let Self { conn, dispatch } = &mut *self;
        let asked = {
            let mut out = conn.look();
            out.driver_runs(task.waker());
            out.take_injected()
        };
        for Injected { id, action, meta, payload } in asked.coming {
            let job = Job { action, kind: JobKind::Operator { id }, to: ReplyTo::Nobody, meta, timed: Stopwatch::NONE };
            dispatch.admit(&job, &payload, task.waker(), &mut Telling::of(conn));
        }
        for id in asked.left {
            dispatch.cancel(JobKind::Operator { id });
        }
        dispatch.poll(task.waker(), &mut Telling::of(conn));
        if dispatch.is_idle() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Whoever waits for a handler that is dropped learns that nothing will come.
impl Drop for Detached {
    fn drop(&mut self) {
        self.dispatch.kill();
        self.conn.set_gone(Closed::new(CloseCode::GoingAway, "the handler has ended", ClosedBy::Here));
    }
}

/// Tells operators alone how jobs have ended.
struct Telling<'a> {
    conn: &'a Conn,
    payload: Vec<u8>,
}

impl<'a> Telling<'a> {
    const fn of(conn: &'a Conn) -> Self {
        Self { conn, payload: Vec::new() }
    }
}

impl Answering for Telling<'_> {
    fn begin(&mut self, _: &Job) -> &mut Vec<u8> {
        self.payload.clear();
        &mut self.payload
    }

    fn end(&mut self, job: &Job, outcome: Result<Verdict, Failure>) {
        if let JobKind::Operator { id } = job.kind {
            let outcome = if job.meta.stream.is_some() { outcome.map_err(ended_early) } else { outcome };
            self.conn.tell_operator(id, job.meta.action, outcome, &self.payload);
        }
    }

    /// Nothing is written.
    fn is_overfull(&self) -> bool {
        false
    }
}
