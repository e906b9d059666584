//! The task of a [detached](Conn::detached) connection: a driver without a transport.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pnet_protocol::{close::CloseCode, connection::ReplyTo, failure::Failure, reply::Verdict};

use super::{
    dispatch::{Dispatch, Ended, Job, JobKind},
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
            dispatch.admit(job, &payload, task.waker(), &mut Telling(conn));
        }
        for id in asked.left {
            dispatch.cancel(JobKind::Operator { id });
        }
        dispatch.poll(task.waker(), &mut Telling(conn));
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
struct Telling<'a>(&'a Conn);

impl Ended for Telling<'_> {
    fn ended(&mut self, job: &Job, outcome: Result<Verdict, Failure>, payload: &[u8]) {
        if let JobKind::Operator { id } = job.kind {
            let outcome = if job.meta.stream.is_some() { outcome.map_err(ended_early) } else { outcome };
            self.0.tell_operator(id, job.meta.action, outcome, payload);
        }
    }

    /// Nothing is written.
    fn is_overfull(&self) -> bool {
        false
    }
}
