//! Answers on their way to the out-buffer. The driver gathers them without the lock that it shares with the handles.
//!
//! What a handler pushes stands before its answer, and behind the answers that were there before. So what is gathered goes
//! to where the out-buffer ended when the driver looked last, and the driver looks again as soon as anybody else has had the
//! lock.

use std::fmt;

use pnet_protocol::{
    connection::ReplyTo,
    reply::Verdict,
    secret::Hidden,
    wire::{self, Writer},
};

use crate::{
    buffers,
    connection::{Conn, Outbox},
};

/// What was answered since the out-buffer was looked at.
pub(super) struct Answers {
    frames: Vec<u8>,
    writing: wire::Answers,
    /// Whether the answer that was begun is among the frames; else it is `apart`.
    in_place: bool,
    /// An answer that is not written where it is encoded.
    apart: Vec<u8>,
    /// Whether what a read holds is answered now: then the answers of one action have text in common.
    reading: bool,
}

impl Answers {
    pub(super) const fn new(writer: &Writer) -> Self {
        let writing = wire::Answers::new(writer);
        Self { frames: Vec::new(), writing, in_place: false, apart: Vec::new(), reading: false }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What comes from now on was read together.
    pub(super) const fn begin_read(&mut self) {
        self.reading = true;
    }

    /// All of it is handled.
    #[inline]
    pub(super) fn end_read(&mut self) {
        self.reading = false;
        self.forget();
    }

    /// What the peer takes may be something else now.
    #[inline]
    pub(super) fn forget(&mut self) {
        if let Some(text) = self.writing.forget() {
            buffers::give(text);
        }
    }

    /// Begins an answer: its payload is appended to this next.
    #[inline]
    pub(super) fn begin(&mut self, to: &ReplyTo, conn: &Conn) -> &mut Vec<u8> {
        if self.reading
            && let Some(action) = self.writing.lacks(to)
        {
            self.forget();
            self.writing.prepare(conn.lock().replies(action, buffers::take()));
        }
        open(&mut self.frames);
        self.in_place = self.writing.begin(to, &mut self.frames);
        if self.in_place {
            return &mut self.frames;
        }
        self.apart.clear();
        if self.apart.capacity() == 0 && !matches!(to, ReplyTo::Nobody) {
            self.apart = buffers::take();
        }
        &mut self.apart
    }

    /// Ends it. `false` if it is written elsewhere: it has to be [taken](Self::take_back).
    #[inline]
    pub(super) fn finish(&mut self, to: &ReplyTo, verdict: Verdict) -> bool {
        self.in_place && self.writing.finish(to, verdict, &mut self.frames)
    }

    /// The payload of the answer that was begun; nothing else is left of it.
    pub(super) fn take_back(&mut self, to: &ReplyTo) -> Vec<u8> {
        if self.in_place { self.writing.take_back(to, &mut self.frames) } else { std::mem::take(&mut self.apart) }
    }

    /// Where credit is written, which needs no order.
    #[inline]
    pub(super) fn credit(&mut self) -> &mut Vec<u8> {
        open(&mut self.frames);
        &mut self.frames
    }

    /// What was gathered before the answer that was begun goes where it belongs, if a handler has pushed anything since, or if
    /// there is much of it. Whether by now so much waits to be written that no new work should be started, if that was
    /// looked at.
    #[inline]
    pub(super) fn follow(&mut self, conn: &Conn) -> Option<bool> {
        (conn.was_touched() || self.frames.len() >= MANY).then(|| self.follow_pushes(conn))
    }

    fn follow_pushes(&mut self, conn: &Conn) -> bool {
        let len = if self.in_place { self.writing.rebase() } else { self.frames.len() };
        let mut out = conn.look();
        out.insert_answers(self.frames.get(..len).unwrap_or_default());
        self.frames.drain(..len);
        out.is_overfull()
    }

    /// Puts everything where it belongs.
    #[inline]
    pub(super) fn settle(&mut self, conn: &Conn) {
        if !self.is_empty() {
            self.settle_in(&mut conn.look());
        }
    }

    /// The same under the lock.
    pub(super) fn settle_in(&mut self, out: &mut Outbox) {
        out.insert_answers(&self.frames);
        self.frames.clear();
    }

    /// Hands everything over to be written, if nothing else waits for that. `batch` is empty.
    #[inline]
    pub(super) fn take(&mut self, out: &Outbox, batch: &mut Vec<u8>) -> bool {
        let alone = !self.is_empty() && out.buf.is_empty() && out.gone.is_none();
        if alone {
            std::mem::swap(&mut self.frames, batch);
        }
        alone
    }

    /// Nothing is answered for now.
    #[inline]
    pub(super) fn rest(&mut self) {
        if self.frames.capacity() != 0 {
            buffers::give(std::mem::take(&mut self.frames));
        }
        if self.apart.capacity() != 0 {
            buffers::give(std::mem::take(&mut self.apart));
        }
    }
}

#[inline]
fn open(frames: &mut Vec<u8>) {
    if frames.capacity() == 0 {
        *frames = buffers::take_large();
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answers").field(&Hidden::of(&self.frames)).finish()
    }
}

/// So much is not gathered apart, as it counts only in the out-buffer.
const MANY: usize = 64 * 1024;
