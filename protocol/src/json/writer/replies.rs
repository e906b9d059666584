//! Replies to calls of one action, as long as nothing else is written between.

use std::fmt;

use crate::json::write::{END, put_number};

/// The text around the payloads of replies to one action: written once for those that go together.
pub struct Replies {
    action: u16,
    /// What stands before the payload, and what stands between payload and number.
    text: Vec<u8>,
    head_len: usize,
    max_len: usize,
}

impl Replies {
    /// `text` is what stands before a payload, `head_len` bytes, and what stands between it and the number.
    pub(super) const fn new(action: u16, text: Vec<u8>, head_len: usize, max_len: usize) -> Self {
        Self { action, text, head_len, max_len }
    }

    /// The action whose calls are answered.
    pub const fn action(&self) -> u16 {
        self.action
    }

    /// Begins a reply, whose payload is appended next; where it begins.
    #[inline]
    pub fn begin(&self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(self.text.get(..self.head_len).unwrap_or_default());
        start
    }

    /// Ends the reply to call `id` that was begun at `start`. `false`, and nothing has happened, if it is longer than the other
    /// side takes.
    #[inline]
    pub fn end(&self, start: usize, id: u32, out: &mut Vec<u8>) -> bool {
        let end = out.len();
        out.extend_from_slice(self.text.get(self.head_len..).unwrap_or_default());
        put_number(out, u64::from(id));
        out.extend_from_slice(END);
        // The line end does not count.
        let fits = out.len().saturating_sub(start + 1) <= self.max_len;
        if !fits {
            out.truncate(end);
        }
        fits
    }

    /// Takes back what was begun at `start`; the payload.
    pub fn abandon(&self, start: usize, out: &mut Vec<u8>) -> Vec<u8> {
        let payload = out.split_off(out.len().min(start + self.head_len));
        out.truncate(start);
        payload
    }

    /// The buffer, to be used again.
    pub fn into_text(self) -> Vec<u8> {
        self.text
    }
}

/// Without the token.
impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("action", &self.action).finish_non_exhaustive()
    }
}
