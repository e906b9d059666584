//! How a connection ends: by this side's will, by the peer's, or because the transport broke.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use pnet_protocol::{
    close::{CloseCode, close_for},
    connection::{InFlight, Violation},
    dialect::Dialect,
};
use tokio::{io::AsyncWrite, time::Instant};

use super::{Driver, Stage, TURNS};
use crate::{
    config,
    connection::last_words,
    counts::Met,
    error::{Closed, ClosedBy},
    seldom::Seldom,
};

impl Driver {
    /// Ends the connection by this side's will: the peer is told, after what was already accepted for it.
    pub(super) fn close(&mut self, closed: Closed) {
        if matches!(self.stage, Stage::Flushing { .. } | Stage::Lingering { .. } | Stage::Leaving) {
            return;
        }
        tracing::debug!(%closed, "closing");
        // What was accepted and has credit goes before the last words, as does what was answered.
        self.answers.settle(&self.conn);
        self.unblock();
        self.dispatch.cancel_all();
        let closed = self.conn.set_gone(closed);
        self.unwelcome();
        // In JSON, ending the stream is how a program says that it is done: it is answered by the end of the other one.
        if !(self.eof && self.conn.dialect == Dialect::Json) {
            // A peer of the old form understands `disconnect`, but nothing that comes together with something else.
            let alone = self.written == self.batch.len();
            self.conn.out().write_close(last_words(&closed), alone);
        }
        self.stage = Stage::Flushing { deadline: Instant::now() + LINGER };
    }

    /// The peer has said its last words. In JSON it is answered what came before them, whether it came in the same read or
    /// not: a script asks, says goodbye, and reads.
    pub(super) fn dismissed(&mut self, closed: Closed) {
        self.answers.settle(&self.conn);
        self.unblock();
        let unwritten = self.written < self.batch.len() || !self.conn.out().buf.is_empty();
        if self.conn.dialect != Dialect::Json || !self.odd.welcome.is_empty() || !unwritten {
            if let Some(io) = &mut self.io {
                io.say_goodbye();
            }
            self.leave(closed);
            return;
        }
        self.dispatch.cancel_all();
        let closed = self.conn.set_gone(closed);
        tracing::debug!(%closed, "closed by the peer");
        self.stage = Stage::Flushing { deadline: Instant::now() + LINGER };
    }

    /// The peer has ended its stream. It may still read: what was accepted is finished and answered.
    pub(super) fn ended(&mut self, in_a_frame: bool) {
        self.eof = true;
        let reason = if in_a_frame {
            "the peer ended its stream in the middle of a frame"
        } else {
            "the peer ended its stream without a close frame"
        };
        let closed = Closed::new(CloseCode::Lost, reason, ClosedBy::Peer);
        self.tail = Vec::new();
        self.forget_begun();
        match self.stage {
            // In JSON this is how a whole session begins and ends: what was said waits for the connect handler.
            Stage::Joining { .. } if self.conn.dialect == Dialect::Json && !self.dispatch.is_idle() => {
                self.deafen(closed);
            }
            Stage::Joining { .. } => self.leave(closed),
            Stage::Open => {
                tracing::debug!(%closed, "draining");
                self.deafen(closed.clone());
                self.stage = Stage::Draining { closed: Box::new(closed), deadline: config::after(self.grace) };
            }
            Stage::Draining { .. } => self.deafen(closed),
            Stage::Flushing { .. } | Stage::Lingering { .. } | Stage::Leaving => {}
        }
    }

    /// Nobody answers any more what this side asks.
    fn deafen(&self, closed: Closed) {
        self.conn.out().deafen(&Arc::new(closed));
    }

    /// The transport failed: nobody is left to be told anything.
    pub(super) fn broken(&mut self, error: &io::Error) {
        if matches!(self.stage, Stage::Flushing { .. } | Stage::Lingering { .. }) {
            self.forsake();
            return;
        }
        tracing::debug!(%error, "the transport broke");
        self.leave(Closed::new(CloseCode::Lost, error.to_string(), ClosedBy::Transport));
    }

    /// Ends the connection without another word to the peer.
    pub(super) fn leave(&mut self, closed: Closed) {
        self.dispatch.cancel_all();
        let closed = self.conn.set_gone(closed);
        tracing::debug!(%closed, "gone");
        self.forsake();
    }

    /// Nothing can be waited for any more: the peer is told if the transport takes that at once, and let go of.
    pub(super) fn give_up_on(&mut self, closed: Closed, task: &mut Context<'_>) {
        if self.written == self.batch.len()
            && let Some(io) = &mut self.io
        {
            let words = {
                let mut out = self.conn.look();
                self.answers.settle_in(&mut out);
                out.write_close(last_words(&closed), true);
                std::mem::take(&mut out.buf)
            };
            // Whether it went is of no interest.
            let _ = Pin::new(io).poll_write(task, &words);
        }
        self.leave(closed);
    }

    /// The grace of a shutdown is over: drops whatever still runs, and says so if the transport takes that at once.
    pub(super) fn cut_off(&mut self, drain: Option<Closed>, task: &mut Context<'_>) {
        // All is said, and only the peer's end is still to come; or the disconnect handler's.
        let done = matches!(self.stage, Stage::Lingering { .. } | Stage::Leaving) && self.dispatch.is_idle();
        let calls = self.dispatch.kill();
        self.conn.cut.count(calls);
        self.conn.cut.connection.store(!done, Ordering::Release);
        let told = match (&self.stage, drain) {
            (Stage::Open, Some(closed)) => Some(closed),
            (Stage::Draining { closed, .. }, _) if closed.by() == ClosedBy::Here => Some(Closed::clone(closed)),
            (Stage::Draining { .. }, closed) => closed,
            _ => None,
        };
        match told {
            Some(closed) => self.give_up_on(closed, task),
            None => self.leave(Closed::new(CloseCode::GoingAway, "the grace of the shutdown is over", ClosedBy::Here)),
        }
    }

    /// Lets go of the transport. The reason is known already.
    pub(super) fn forsake(&mut self) {
        self.io = None;
        self.answers.rest();
        self.odd = Seldom::new();
        self.tail = Vec::new();
        self.batch = Vec::new();
        self.written = 0;
        self.alarm.disarm();
        {
            let held = self.holds();
            let mut out = self.conn.out();
            out.buf = Vec::new();
            out.settle_driver(held);
        }
        self.conn.set_written();
        self.stage = Stage::Leaving;
    }

    /// Moves on to the next stage when this one is done.
    pub(super) fn advance(&mut self, task: &mut Context<'_>) -> bool {
        let all_written = self.written == self.batch.len();
        match &mut self.stage {
            Stage::Draining { closed, .. } => {
                if all_written && self.dispatch.is_idle() && self.conn.out().is_drained() {
                    let closed = Closed::clone(closed);
                    self.close(closed);
                    return true;
                }
                false
            }
            Stage::Flushing { deadline } => {
                if !all_written || !self.conn.out().buf.is_empty() {
                    return false;
                }
                let deadline = *deadline;
                let Some(io) = &mut self.io else { return false };
                match Pin::new(io).poll_shutdown(task) {
                    Poll::Pending => false,
                    Poll::Ready(Ok(())) if !self.eof => {
                        self.conn.set_written();
                        self.stage = Stage::Lingering { deadline };
                        true
                    }
                    Poll::Ready(_) => {
                        self.forsake();
                        true
                    }
                }
            }
            Stage::Lingering { .. } if self.eof => {
                self.forsake();
                true
            }
            _ => false,
        }
    }

    /// The connection is over: handlers that run to their end, then the disconnect handler.
    pub(super) fn poll_leave(&mut self, task: &mut Context<'_>) -> Poll<()> {
        for turn in 0.. {
            if self.dispatch.is_idle() {
                break;
            }
            if turn == TURNS {
                self.conn.out().settle_driver(self.dispatch.holds());
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            let (dispatch, mut ended) = self.split();
            let progress = dispatch.poll(task.waker(), &mut ended);
            // Nobody hears any answer.
            self.answers.rest();
            if !progress {
                let held = self.dispatch.holds();
                let mut out = self.conn.out();
                out.settle_driver(held);
                out.sends.rest(&mut self.tally, &self.conn.trace, || (self.reader.in_flight(), 0));
                out.rest();
                return Poll::Pending;
            }
        }
        self.conn.out().settle_driver(0);
        let Some(closed) = self.conn.gone() else { return Poll::Ready(()) };
        let left = self.dispatch.poll_leave(&closed, task);
        self.conn.out().rest();
        left
    }

    /// The peer breaks the protocol: the connection is closed with the code for it.
    pub(super) fn punish(&mut self, violation: &Violation) {
        tracing::warn!(%violation, "the peer breaks the protocol");
        self.note_violation(violation);
        let (code, reason) = close_for(violation);
        self.close(Closed::new(code, reason, ClosedBy::Here));
    }

    /// Counts the limit that the peer has overstepped.
    fn note_violation(&self, violation: &Violation) {
        let in_flight = self.reader.in_flight();
        let limit = match violation {
            Violation::NoCredit { .. } | Violation::Overload { .. } if in_flight.full & InFlight::PACKETS != 0 => {
                Met::Packets
            }
            Violation::NoCredit { .. } | Violation::Overload { .. } => Met::PacketBytes,
            Violation::NoItemCredit { .. } => Met::StreamItems,
            _ => return,
        };
        self.conn.trace.met(limit);
    }

    #[inline]
    pub(super) fn check_mistakes(&mut self) {
        if self.odd.is_taken() && (self.odd.mistakes.are_too_many() || self.odd.cancellations.are_too_many()) {
            self.punish_mistakes();
        }
    }

    #[cold]
    fn punish_mistakes(&mut self) {
        let odd = &mut *self.odd;
        let (violation, limit) = match odd.mistakes.take() {
            Some(violation) => (Some(violation), Met::Mistakes),
            None => (odd.cancellations.take(), Met::Cancellations),
        };
        if let Some(violation) = violation {
            self.conn.trace.met(limit);
            self.punish(&violation);
        }
    }
}

/// Time to write the last frames, and then to wait for the peer's end.
const LINGER: Duration = Duration::from_secs(1);
