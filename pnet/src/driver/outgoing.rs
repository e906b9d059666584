//! The driver's writing half: what has gathered goes out in one go.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{io::AsyncWrite, time::Instant};

use super::{Driver, PROGRESS, Slow, Stage};
use crate::buffers;

impl Driver {
    /// Writes until the transport refuses or nothing is left.
    pub(super) fn write(&mut self, task: &mut Context<'_>) -> bool {
        let mut progress = false;
        if self.written < self.batch.len() {
            self.answers.settle(&self.conn);
        }
        // Whether nothing was left when the batch was taken.
        let mut last = false;
        loop {
            if self.written == self.batch.len() {
                let done = last && !self.blocked && self.pong.is_none() && !self.conn.was_touched();
                match if done { None } else { self.next_batch() } {
                    Some(all) => last = all,
                    None => return progress | self.flush(task),
                }
            }
            let Some(io) = &mut self.io else { return progress };
            let Some(rest) = self.batch.get(self.written..) else { return progress };
            match Pin::new(io).poll_write(task, rest) {
                Poll::Pending => {
                    self.slow_down();
                    self.block();
                    return progress;
                }
                Poll::Ready(Ok(0)) => {
                    self.broken(&io::ErrorKind::WriteZero.into());
                    return true;
                }
                Poll::Ready(Ok(written)) => {
                    self.conn.counters.bytes_written.add(written as u64);
                    self.written += written;
                    if self.life.is_on() {
                        self.life.speak(self.now.get_or_insert_with(Instant::now).into_std());
                    }
                    self.note_progress();
                    progress = true;
                }
                Poll::Ready(Err(error)) => {
                    self.broken(&error);
                    return true;
                }
            }
        }
    }

    /// The transport refuses the batch: from now on nothing is copied for this peer that could be shared.
    fn block(&mut self) {
        if std::mem::replace(&mut self.blocked, true) {
            return;
        }
        // Who has waited for this very write may park now.
        self.conn.out().block();
        let rest = self.batch.get(self.written..).unwrap_or_default();
        if self.batch.capacity() > rest.len() + SPARE {
            let rest = rest.to_vec();
            buffers::give(std::mem::replace(&mut self.batch, rest));
            self.written = 0;
        }
    }

    /// The transport has refused something: from now on it has to make progress.
    fn slow_down(&mut self) {
        self.note_progress();
        if self.odd.slow.is_none() {
            self.odd.slow = Some(Slow { since: Instant::now(), taken: self.taken() });
        }
    }

    /// A transport that was slow and has taken enough since is not slow any more.
    fn note_progress(&mut self) {
        if let Some(slow) = self.odd.slow
            && self.taken().saturating_sub(slow.taken) >= PROGRESS
        {
            self.odd.slow = None;
        }
    }

    /// How much the network has taken so far.
    fn taken(&self) -> u64 {
        let taken = self.io.as_ref().and_then(|io| io.taken());
        taken.unwrap_or_else(|| self.conn.counters.bytes_written.get())
    }

    /// What was parked meanwhile may go into the buffer.
    pub(super) fn unblock(&mut self) {
        if std::mem::take(&mut self.blocked) {
            self.conn.out().unblock();
        }
    }

    /// Takes what has gathered, and whether that is all; `None` if there is nothing.
    fn next_batch(&mut self) -> Option<bool> {
        self.unblock();
        self.batch.clear();
        self.written = 0;
        if matches!(self.stage, Stage::Lingering { .. } | Stage::Leaving) {
            return None;
        }
        if !self.odd.welcome.is_empty() {
            self.answers.settle(&self.conn);
            // Held back until the connect handler is done, unless it has something to say: that needs a client that
            // listens.
            let speaks = self.conn.out().rest();
            if speaks {
                self.release_welcome();
            }
            return speaks.then_some(false);
        }
        let mut out = self.conn.look();
        if let Some(nonce) = self.pong.take()
            && out.gone.is_none()
        {
            out.write_pong(nonce);
        }
        if out.is_ping_due() {
            out.write_ping(*self.now.get_or_insert_with(Instant::now));
        }
        out.unpark();
        if self.now.is_none() {
            // It is not long ago, and one look at the clock less.
            self.now = out.batch_began();
        }
        let taken = if self.answers.take(&out, &mut self.batch) {
            out.end_batch();
            true
        } else {
            self.answers.settle_in(&mut out);
            out.take_batch(&mut self.batch)
        };
        taken.then(|| {
            // The buffer is empty again, so what was parked for want of room may follow.
            out.unpark();
            out.buf.is_empty()
        })
    }

    /// Everything was handed over; some transports hold it back until told.
    fn flush(&mut self, task: &mut Context<'_>) -> bool {
        let Some(io) = &mut self.io else { return false };
        match Pin::new(io).poll_flush(task) {
            Poll::Pending => {
                self.slow_down();
                false
            }
            Poll::Ready(Ok(())) => {
                if self.odd.slow.is_some() {
                    self.odd.slow = None;
                }
                false
            }
            Poll::Ready(Err(error)) => {
                self.broken(&error);
                true
            }
        }
    }
}

/// Capacity that a batch may leave unused while its peer does not read.
const SPARE: usize = 4 * 1024;
