//! Answers that are written where they are encoded, whatever the bytes look like.

use super::Writer;
use crate::{
    connection::{CallId, ReplyTo},
    frame::{Mark, begin_reply},
    json::Replies,
    reply::Verdict,
};

/// Writes the usual answers apart from the [`Writer`], in a buffer of their own, without a copy of the payload: begun, encoded
/// behind, ended. One is begun at a time.
#[derive(Debug)]
pub struct Answers {
    /// The longest frame of an answer that the other side takes.
    max_len: u32,
    /// How replies to one action are written in objects, as long as nothing else is written between.
    replies: Option<Replies>,
    /// Where the answer begins.
    start: usize,
}

impl Answers {
    /// For what `writer` writes to.
    pub const fn new(writer: &Writer) -> Self {
        let max_len = match writer.max_answer_len() {
            Some(max_len) => max_len,
            None => 0,
        };
        Self { max_len, replies: None, start: 0 }
    }

    /// The action that [`prepare`](Self::prepare) is wanted for, so that this call can be answered.
    #[inline]
    pub fn lacks(&self, to: &ReplyTo) -> Option<u16> {
        let ReplyTo::Json { id: Some(CallId::Number(_)), action: Some(action) } = to else { return None };
        let prepared = self.replies.as_ref().is_some_and(|replies| replies.action() == *action);
        if prepared { None } else { Some(*action) }
    }

    /// What [`Writer::replies`] says of an action.
    pub fn prepare(&mut self, replies: Option<Replies>) {
        self.replies = replies;
    }

    /// What was prepared does not hold any more; its buffer, to be used again.
    #[inline]
    pub fn forget(&mut self) -> Option<Vec<u8>> {
        self.replies.take().map(Replies::into_text)
    }

    /// Begins the answer to a call; its payload is appended next. `false`, and nothing has happened, if it is for
    /// [`Writer::answer`] to write.
    #[inline]
    pub fn begin(&mut self, to: &ReplyTo, out: &mut Vec<u8>) -> bool {
        self.start = out.len();
        match to {
            ReplyTo::Native(id) => {
                let _ = begin_reply(out, *id);
                true
            }
            to => self.begin_object(to, out),
        }
    }

    #[inline(never)]
    fn begin_object(&self, to: &ReplyTo, out: &mut Vec<u8>) -> bool {
        let Some((replies, _)) = self.replies_to(to) else { return false };
        replies.begin(out);
        true
    }

    /// What stands before what was begun is about to be taken out of the buffer: how many bytes that is.
    pub const fn rebase(&mut self) -> usize {
        std::mem::replace(&mut self.start, 0)
    }

    /// Ends what was begun. `false` if it is no reply, or longer than the other side takes: it has to be
    /// [taken back](Self::take_back).
    #[inline]
    pub fn finish(&self, to: &ReplyTo, verdict: Verdict, out: &mut Vec<u8>) -> bool {
        match to {
            ReplyTo::Native(_) => {
                let mark = Mark::at(self.start);
                let fits = mark.len(out) <= self.max_len as usize;
                match verdict {
                    Verdict::Reply if fits => mark.close(out),
                    Verdict::Error if fits => mark.close_error(out),
                    _ => return false,
                }
                true
            }
            to => self.finish_object(to, verdict, out),
        }
    }

    #[inline(never)]
    fn finish_object(&self, to: &ReplyTo, verdict: Verdict, out: &mut Vec<u8>) -> bool {
        matches!(verdict, Verdict::Reply)
            && self.replies_to(to).is_some_and(|(replies, id)| replies.end(self.start, id, out))
    }

    /// Takes what was begun out of `out` again; its payload.
    pub fn take_back(&self, to: &ReplyTo, out: &mut Vec<u8>) -> Vec<u8> {
        match (to, self.replies_to(to)) {
            (ReplyTo::Native(_), _) => {
                let mark = Mark::at(self.start);
                let payload = mark.payload(out).to_vec();
                mark.abandon(out);
                payload
            }
            (_, Some((replies, _))) => replies.abandon(self.start, out),
            _ => Vec::new(),
        }
    }

    /// How the reply to this call is written, where that was prepared, and the number that it says.
    fn replies_to(&self, to: &ReplyTo) -> Option<(&Replies, u32)> {
        let ReplyTo::Json { id: Some(CallId::Number(number)), action: Some(action) } = to else { return None };
        let replies = self.replies.as_ref().filter(|replies| replies.action() == *action)?;
        Some((replies, u32::try_from(*number).ok()?))
    }
}
