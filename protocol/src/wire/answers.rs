//! Answers that are written where they are encoded, whatever the bytes look like.

use super::Writer;
use crate::{
    connection::{CallId, ReplyTo},
    frame::{Mark, begin_reply},
    json::Replies,
    reply::Verdict,
};

/// Writes the usual answers apart from the [`Writer`], in a buffer of their own, without a copy of the payload: begun, encoded
/// behind, ended.
#[derive(Debug)]
pub struct Answers {
    /// The longest frame of an answer that the other side takes. `None`: answers are objects.
    max_len: Option<u32>,
    /// How replies to one action are written in objects, as long as nothing else is written between.
    replies: Option<Replies>,
    begun: Begun,
}

#[derive(Debug)]
enum Begun {
    Nothing,
    Frame(Mark),
    Object { start: usize, id: u32 },
}

impl Answers {
    /// For what `writer` writes to.
    pub const fn new(writer: &Writer) -> Self {
        Self { max_len: writer.max_answer_len(), replies: None, begun: Begun::Nothing }
    }

    /// The action that [`prepare`](Self::prepare) is wanted for, so that this call can be answered.
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
    pub fn forget(&mut self) -> Option<Vec<u8>> {
        self.replies.take().map(Replies::into_text)
    }

    /// Begins the answer to a call; its payload is appended next. `false`, and nothing has happened, if it is for
    /// [`Writer::answer`] to write.
    #[inline]
    pub fn begin(&mut self, to: &ReplyTo, out: &mut Vec<u8>) -> bool {
        self.begun = match to {
            ReplyTo::Native(id) if self.max_len.is_some() => Begun::Frame(begin_reply(out, *id)),
            ReplyTo::Json { id: Some(CallId::Number(number)), action: Some(action) } => {
                let (Some(replies), Ok(id)) = (&self.replies, u32::try_from(*number)) else { return false };
                if replies.action() != *action {
                    return false;
                }
                Begun::Object { start: replies.begin(out), id }
            }
            _ => return false,
        };
        true
    }

    /// What stands before what was begun is about to be taken out of `out`: how many bytes that is.
    pub const fn rebase(&mut self, out: &[u8]) -> usize {
        match &mut self.begun {
            Begun::Nothing => out.len(),
            Begun::Frame(mark) => mark.rebase(),
            Begun::Object { start, .. } => std::mem::replace(start, 0),
        }
    }

    /// Ends what was begun. `false` if it is no reply, or longer than the other side takes: it has to be
    /// [taken back](Self::take_back).
    #[inline]
    pub fn finish(&mut self, verdict: Verdict, out: &mut Vec<u8>) -> bool {
        let done = match &self.begun {
            Begun::Nothing => false,
            Begun::Frame(mark) => {
                let fits = self.max_len.is_some_and(|max_len| mark.len(out) <= max_len as usize);
                match verdict {
                    Verdict::Reply if fits => mark.close(out),
                    Verdict::Error if fits => mark.close_error(out),
                    _ => return false,
                }
                true
            }
            Begun::Object { start, id } => {
                matches!(verdict, Verdict::Reply)
                    && self.replies.as_ref().is_some_and(|replies| replies.end(*start, *id, out))
            }
        };
        if done {
            self.begun = Begun::Nothing;
        }
        done
    }

    /// Takes what was begun out of `out` again; its payload.
    pub fn take_back(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        match std::mem::replace(&mut self.begun, Begun::Nothing) {
            Begun::Nothing => Vec::new(),
            Begun::Frame(mark) => {
                let payload = mark.payload(out).to_vec();
                mark.abandon(out);
                payload
            }
            Begun::Object { start, .. } => match &self.replies {
                Some(replies) => replies.abandon(start, out),
                None => Vec::new(),
            },
        }
    }
}
