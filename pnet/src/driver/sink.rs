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
    dispatch::{Answering, Job, JobKind},
};
use crate::{
    buffers,
    connection::{Addressed, Conn},
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

impl Answering for Sink<'_> {
    #[inline]
    fn begin(&mut self, job: &Job) -> &mut Vec<u8> {
        // What ends a stream is no reply.
        let to = if job.meta.stream.is_some() { &ReplyTo::Nobody } else { &job.to };
        self.answers.begin(to, self.conn)
    }

    #[inline]
    fn end(&mut self, job: &Job, outcome: Result<Verdict, Failure>) {
        job.timed.stop(job.action, &self.conn.trace);
        // What the handler has pushed stands before its answer.
        if let Some(overfull) = self.answers.follow(self.conn) {
            *self.overfull = overfull;
        }
        match (&outcome, job.kind) {
            (Ok(verdict), JobKind::Call { id }) if self.answers.finish(&job.to, *verdict) => {
                self.reader.call_finished(id)
            }
            (Ok(_), JobKind::OneWay { frame_len }) => self.reader.packet_finished(frame_len, self.answers.credit()),
            _ => self.end_otherwise(job, outcome),
        }
    }

    #[inline]
    fn is_overfull(&self) -> bool {
        *self.overfull
    }
}

impl Sink<'_> {
    #[inline(never)]
    fn end_otherwise(&mut self, job: &Job, outcome: Result<Verdict, Failure>) {
        let payload = self.answers.take_back(&job.to);
        let stream = job.meta.stream.is_some();
        let outcome = if stream { outcome.map_err(ended_early) } else { outcome };
        #[cfg(feature = "console")]
        if let JobKind::Operator { id } = job.kind {
            self.conn.tell_operator(id, job.meta.action, outcome, &payload);
            return;
        }
        if let Err(failure) = &outcome {
            self.conn.trace.failed(job.action);
            self.note_failure(job.meta.action, failure);
        }
        let answer = Addressed { to: &job.to, action: job.meta.action, stream };
        match job.kind {
            JobKind::Call { id } => {
                self.reader.call_finished(id);
                if stream {
                    self.conn.close_producer(id);
                }
                *self.overfull = self.conn.answer(answer, &outcome, &payload);
            }
            JobKind::OneWay { frame_len } => {
                self.reader.packet_finished(frame_len, self.answers.credit());
                // What was wrong with the packet itself is told where there is a way to.
                if outcome.as_ref().is_err_and(Failure::is_refusal) {
                    *self.overfull = self.conn.answer(answer, &outcome, &[]);
                }
            }
            #[cfg(feature = "console")]
            JobKind::Operator { .. } => {}
        }
        buffers::give(payload);
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
