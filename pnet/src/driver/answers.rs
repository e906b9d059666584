//! Answers on their way to the out-buffer. The driver gathers them without the lock that it shares with the handles.
//!
//! What a handler pushes stands before its answer, and behind the answers that were there before. So what is gathered goes
//! to where the out-buffer ended when the driver looked last, and the driver looks again as soon as anybody else has had the
//! lock.

use std::fmt;

use pnet_protocol::{
    frame::{self, Mark, REPLY_OVERHEAD},
    json::Replies,
    reply::Verdict,
    secret::Hidden,
};

use crate::{
    buffers,
    connection::{Conn, Outbox},
};

/// What was answered since the out-buffer was looked at.
pub(super) struct Answers {
    frames: Vec<u8>,
    /// The longest frame of an answer that the peer takes. `None`: not in frames.
    max_len: Option<u32>,
}

impl Answers {
    pub(super) const fn new(max_len: Option<u32>) -> Self {
        Self { frames: Vec::new(), max_len }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Begins the answer to call `id`; its payload is appended to [`frames`](Self::frames) next.
    #[inline]
    pub(super) fn begin(&mut self, id: u32) -> Mark {
        frame::begin_reply(self.frames(), id)
    }

    /// Where answers are appended, and whatever else needs no order.
    #[inline]
    pub(super) fn frames(&mut self) -> &mut Vec<u8> {
        if self.frames.capacity() == 0 {
            self.frames = buffers::take_large();
        }
        &mut self.frames
    }

    /// The same for what appends nothing unless something was begun, and so needs no buffer.
    #[inline]
    pub(super) const fn begun(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    /// Takes back what was begun.
    pub(super) fn abandon(&mut self, mark: Mark) {
        mark.abandon(&mut self.frames);
    }

    /// Ends what was begun.
    ///
    /// # Errors
    ///
    /// The payload, if it is no answer as declared, or longer than the peer takes. Nothing is left of it then.
    #[inline]
    pub(super) fn finish(&mut self, mark: Mark, verdict: Verdict) -> Result<(), Vec<u8>> {
        let fits = self.max_len.is_some_and(|max_len| mark.len(&self.frames) <= max_len as usize);
        match verdict {
            Verdict::Reply if fits => mark.close(&mut self.frames),
            Verdict::Error if fits => mark.close_error(&mut self.frames),
            _ => {
                let payload = mark.payload(&self.frames).to_vec();
                mark.abandon(&mut self.frames);
                return Err(payload);
            }
        }
        Ok(())
    }

    /// The same for an answer that was encoded elsewhere. `false`: it is not written.
    #[inline]
    pub(super) fn put(&mut self, id: u32, verdict: Verdict, payload: &[u8]) -> bool {
        let fits = self.max_len.is_some_and(|max_len| payload.len() + REPLY_OVERHEAD <= max_len as usize);
        match verdict {
            Verdict::Reply if fits => frame::put_reply(self.frames(), id, payload),
            Verdict::Error if fits => frame::put_error(self.frames(), id, payload),
            _ => return false,
        }
        true
    }

    /// What was gathered before `mark` goes where it belongs, if a handler has pushed anything since, or if there is much of
    /// it. Whether by now so much waits to be written that no new work should be started, if that was looked at.
    #[inline]
    pub(super) fn follow(&mut self, mark: Option<&mut Mark>, conn: &Conn) -> Option<bool> {
        self.is_to_follow(conn).then(|| {
            let len = mark.map_or(self.frames.len(), Mark::rebase);
            self.follow_pushes(len, conn)
        })
    }

    /// The same for an answer in an object, which begins at `start`.
    #[inline]
    pub(super) fn follow_from(&mut self, start: &mut usize, conn: &Conn) -> Option<bool> {
        self.is_to_follow(conn).then(|| self.follow_pushes(std::mem::take(start), conn))
    }

    fn is_to_follow(&self, conn: &Conn) -> bool {
        conn.was_touched() || self.frames.len() >= MANY
    }

    /// The first `len` bytes of what was gathered go where they belong.
    fn follow_pushes(&mut self, len: usize, conn: &Conn) -> bool {
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
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Answers").field(&Hidden::of(&self.frames)).finish()
    }
}

/// How replies in objects are written, as long as nothing else comes.
#[derive(Debug, Default)]
pub(super) struct Prepared(Option<Replies>);

impl Prepared {
    /// How those to calls of an action are.
    #[inline]
    pub(super) fn for_action(&mut self, action: u16, conn: &Conn) -> Option<&Replies> {
        if self.0.as_ref().is_none_or(|replies| replies.action() != action) {
            self.forget();
            let text = buffers::take();
            self.0 = conn.lock().replies(action, text);
        }
        self.0.as_ref()
    }

    /// What the peer takes may be something else now.
    pub(super) fn forget(&mut self) {
        if let Some(replies) = self.0.take() {
            buffers::give(replies.into_text());
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.forget();
    }
}

/// So much is not gathered apart, as it counts only in the out-buffer.
const MANY: usize = 64 * 1024;
