//! What an operator has of a handler that he runs, and the task of one that has no peer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pnet_protocol::{
    close::CloseCode,
    connection::ReplyTo,
    failure::{Failure, code},
    reply::Verdict,
};
use tokio::sync::oneshot;

use super::{
    Collected, Conn, Injected, NotInjected, Outcome,
    driver::Dispatch,
    lanes::{Ended, Job, JobKind},
};
use crate::{
    context::Meta,
    counts::Stopwatch,
    error::{Closed, ClosedBy},
};

/// A handler that an operator runs. Dropped, it is cancelled.
pub(crate) struct OperatorsRun {
    conn: Arc<Conn>,
    id: u32,
    outcome: oneshot::Receiver<Outcome>,
}

impl OperatorsRun {
    /// Leaves the packet for the connection's driver.
    pub(crate) fn begin(
        conn: &Arc<Conn>,
        (action, meta): (u16, Meta),
        payload: Vec<u8>,
        stream: bool,
    ) -> Result<Self, NotInjected> {
        let (id, outcome) = conn.out().inject(action, payload, meta, stream)?;
        Ok(Self { conn: Arc::clone(conn), id, outcome })
    }

    /// How the handler ended; or why the connection did, before it.
    pub(crate) async fn ended(&mut self) -> Result<Outcome, Arc<Closed>> {
        let conn = Arc::clone(&self.conn);
        tokio::select! {
            biased;
            Ok(outcome) = &mut self.outcome => Ok(outcome),
            closed = conn.closed() => Err(closed),
        }
    }

    /// The operator does not wait any more, and takes what there is of his stream.
    pub(crate) fn leave(self) -> Collected {
        self.left().unwrap_or_default()
    }

    fn left(&self) -> Option<Collected> {
        let left = self.conn.out().leave_run(self.id);
        left.collected
    }
}

impl Drop for OperatorsRun {
    fn drop(&mut self) {
        self.left();
    }
}

impl Conn {
    /// A handler that an operator has run is at its end.
    pub(crate) fn tell_operator(
        &self,
        id: u32,
        action: &'static str,
        outcome: Result<Verdict, Failure>,
        payload: &[u8],
    ) {
        if let Err(failure) = &outcome
            && failure.code() == code::INTERNAL
        {
            tracing::error!(action, failure = %failure.log_text(), "a handler failed");
        }
        let operator = self.out().operator_of(id);
        if let Some(operator) = operator {
            // He may have left meanwhile.
            let _ = operator.send((outcome, payload.to_vec()));
        }
    }
}

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
            let outcome = if job.meta.stream.is_some() { outcome.map_err(crate::stream::ended_early) } else { outcome };
            self.0.tell_operator(id, job.meta.action, outcome, payload);
        }
    }

    /// Nothing is written.
    fn is_overfull(&self) -> bool {
        false
    }
}
