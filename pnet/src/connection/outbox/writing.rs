//! What is written for the peer beside packets and calls: answers, signs of life, last words.

use pnet_protocol::{
    close::Close,
    connection::{Answer, ReplyTo},
    failure::{Failure, code},
    json::{Form, JsonWelcome, Replies},
    reply::Verdict,
};
use tokio::time::Instant;

use super::Outbox;

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addressed<'a> {
    pub(crate) to: &'a ReplyTo,
    pub(crate) action: &'a str,
    /// Whether a stream ends with it.
    pub(crate) stream: bool,
}

impl Outbox {
    /// Writes the answer to an incoming call. An answer longer than the peer takes becomes a failure.
    pub(crate) fn write_answer(
        &mut self,
        Addressed { to, action, stream }: Addressed<'_>,
        outcome: &Result<Verdict, Failure>,
        payload: &[u8],
    ) {
        let answer = match outcome {
            Ok(Verdict::Reply) => Answer::Reply(payload),
            Ok(Verdict::Error) => Answer::Error(payload),
            Ok(Verdict::End) => Answer::End,
            Ok(_) => Answer::Failure { code: code::INTERNAL, message: "the handler gave no answer" },
            Err(failure) => Answer::Failure { code: failure.code(), message: failure.message() },
        };
        self.date();
        if let Err(refused) = self.writer.answer(to, answer, stream, &mut self.buf) {
            tracing::error!(action, %refused, "the answer is longer than the peer takes");
            let answer = Answer::Failure { code: code::TOO_LONG, message: &refused.to_string() };
            let told = self.writer.answer(to, answer, stream, &mut self.buf);
            debug_assert!(told.is_ok(), "a failure is short: {told:?}");
        }
        self.settle();
    }

    /// Writes the schema of the protocol to a peer that has asked for it.
    pub(crate) fn write_schema(&mut self, to: &ReplyTo, text: &str) {
        self.date();
        if let Err(refused) = self.writer.schema(to, text, &mut self.buf) {
            tracing::debug!(%refused, "the schema is longer than the peer takes");
        }
        self.settle();
    }

    /// How replies to calls of an action are written in this batch, where that can be done apart; with an empty buffer.
    pub(crate) fn replies(&mut self, action: u16, text: Vec<u8>) -> Option<Replies> {
        self.date();
        self.writer.replies(action, text)
    }

    /// Whether a ping is to be written.
    pub(crate) const fn is_ping_due(&self) -> bool {
        self.pings.are_due() && self.gone.is_none() && self.writer.can_ping()
    }

    /// Writes the ping that is due.
    pub(crate) fn write_ping(&mut self, now: Instant) {
        self.date();
        self.writer.ping(self.pings.begin(now.into_std()), &mut self.buf);
    }

    /// A pong has come. `false`: not for the last ping.
    pub(crate) fn ponged(&mut self, nonce: u64, now: Instant) -> bool {
        let ponged = self.pings.ponged(nonce, now.into_std());
        if ponged && self.pings.are_wanted() {
            self.wake_driver();
        }
        ponged
    }

    /// Writes the sign of life that was asked for.
    pub(crate) fn write_pong(&mut self, nonce: Option<u64>) {
        self.date();
        self.writer.pong(nonce, &mut self.buf);
    }

    /// Writes this side's last words; `alone` if nothing else is on its way.
    pub(crate) fn write_close(&mut self, close: Close<'_>, alone: bool) {
        self.date();
        let alone = alone && self.buf.is_empty();
        self.writer.close(close, alone, &mut self.buf);
    }

    /// The other side of a JSON connection has shown what it is.
    pub(crate) fn set_form(&mut self, form: Form) {
        self.writer.set_form(form);
        self.forget_text();
    }

    /// Calls are written in another way from now on.
    fn forget_text(&mut self) {
        if let Some(calls) = self.calls.get_mut() {
            calls.text.forget();
        }
    }

    /// A JSON server's handshake came after the connection was opened without.
    pub(crate) fn welcomed(&mut self, welcome: &JsonWelcome) {
        self.writer.welcomed(welcome);
        self.forget_text();
        // Streams that are open already get their credit from now on, if the server goes by it.
        let (items, bytes) = self.writer.stream_window(&self.local).size();
        if let Some(calls) = self.calls.get_mut() {
            calls.table.narrow_streams(items, bytes);
        }
    }
}
