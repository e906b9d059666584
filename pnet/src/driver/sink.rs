//! What becomes of a job's end: the answer, the credit, and the account of the peer's mistakes.

use pnet_protocol::{
    connection::ReplyTo,
    failure::{Failure, code},
    reply::Verdict,
    wire::Reader,
};
use tokio::time::Instant;

use super::{
    Odd,
    answers::Answers,
    dispatch::{Ended, Job, JobKind},
};
use crate::{
    connection::{Answering, Conn},
    error::SendError,
    seldom::Seldom,
};

/// What happens when a job ends.
pub(super) struct Sink<'a> {
    pub(super) conn: &'a Conn,
    pub(super) reader: &'a mut Reader,
    pub(super) answers: &'a mut Answers,
    pub(super) odd: &'a mut Seldom<Odd>,
    pub(super) overfull: &'a mut bool,
}

impl Ended for Sink<'_> {
    #[inline]
    fn ended(&mut self, job: &Job, outcome: Result<Verdict, Failure>, payload: &[u8]) {
        job.timed.stop(job.action, &self.conn.trace);
        // How most calls end.
        if let (ReplyTo::Native(id), None, Ok(verdict)) = (&job.to, job.meta.stream, &outcome) {
            if let Some(overfull) = self.answers.follow(None, self.conn) {
                *self.overfull = overfull;
            }
            if self.answers.put(*id, *verdict, payload) {
                self.reader.call_finished(*id);
                return;
            }
        }
        self.ended_otherwise(job, outcome, payload);
    }

    #[inline]
    fn is_overfull(&self) -> bool {
        *self.overfull
    }
}

impl Sink<'_> {
    pub(super) fn ended_otherwise(&mut self, job: &Job, outcome: Result<Verdict, Failure>, payload: &[u8]) {
        let stream = job.meta.stream.is_some();
        let outcome = if stream { outcome.map_err(ended_early) } else { outcome };
        #[cfg(feature = "console")]
        if let JobKind::Operator { id } = job.kind {
            self.conn.tell_operator(id, job.meta.action, outcome, payload);
            return;
        }
        if let Err(failure) = &outcome {
            self.conn.trace.failed(job.action);
            self.note_failure(job.meta.action, failure);
        }
        match job.kind {
            JobKind::Call { id } => {
                self.reader.call_finished(id);
                if stream {
                    self.conn.close_producer(id);
                }
                let answering = Answering { to: &job.to, action: job.meta.action, stream };
                *self.overfull = self.conn.answer(answering, &outcome, payload);
            }
            JobKind::OneWay { frame_len } => {
                let mut out = self.conn.out();
                // Nothing follows a close frame.
                if out.gone.is_none() {
                    self.reader.packet_finished(frame_len, &mut out.buf);
                }
                drop(out);
                // What was wrong with the packet itself is told where there is a way to.
                if outcome.as_ref().is_err_and(Failure::is_refusal) {
                    let answering = Answering { to: &job.to, action: job.meta.action, stream: false };
                    *self.overfull = self.conn.answer(answering, &outcome, &[]);
                }
            }
            #[cfg(feature = "console")]
            JobKind::Operator { .. } => {}
        }
    }

    fn note_failure(&mut self, action: &'static str, failure: &Failure) {
        if failure.is_malformed() {
            self.odd.mistakes.count(Instant::now().into_std());
            tracing::warn!(action, failure = %failure.log_text(), "malformed packet");
        } else if failure.code() == code::INTERNAL {
            tracing::error!(action, failure = %failure.log_text(), "a handler failed");
        } else {
            tracing::debug!(action, failure = %failure.log_text(), "not handled");
        }
    }
}

/// How a stream ended whose handler gave back what its sender had told it: that is nobody's fault.
pub(crate) fn ended_early(failure: Failure) -> Failure {
    match failure.source().and_then(|source| source.downcast_ref::<SendError>()) {
        Some(SendError::Cancelled) => Failure::public(code::CANCELLED, "the consumer did not wait"),
        Some(SendError::ShuttingDown) => Failure::public(code::GOING_AWAY, "this side is shutting down"),
        _ => failure,
    }
}
