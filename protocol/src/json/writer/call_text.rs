//! Calls of one action, as long as nothing else is called between.

use std::fmt;

use zeroize::Zeroize;

use crate::json::write::{END, ID, begin_head, put_number, put_timeout};

/// The text around the data of calls: written once for those of one action that go with the same batch.
pub struct CallText {
    action: u16,
    timeout_ms: u32,
    /// What stands before the data, and what stands between data and number; empty if nothing is known. The latter holds the
    /// token.
    text: Vec<u8>,
    head_len: usize,
}

impl CallText {
    /// Before the first call.
    #[must_use]
    pub const fn new() -> Self {
        Self { action: 0, timeout_ms: 0, text: Vec::new(), head_len: 0 }
    }

    /// The next call has another time, or goes to somebody who is known to take something else.
    #[inline]
    pub fn forget(&mut self) {
        self.text.clear();
    }

    /// Whether it is that of a call of `action` with this timeout.
    #[inline]
    pub(super) fn is_of(&self, action: u16, timeout_ms: u32) -> bool {
        self.action == action && self.timeout_ms == timeout_ms && !self.text.is_empty()
    }

    /// From now on it is that of `action`, called `name`. `told` is the timeout that the other side is told, 0 for none.
    pub(super) fn set(&mut self, (action, name): (u16, &str), timeout_ms: u32, told: u32, stamp: &[u8]) {
        (self.action, self.timeout_ms) = (action, timeout_ms);
        self.text.clear();
        begin_head(&mut self.text, name);
        self.head_len = self.text.len();
        put_timeout(&mut self.text, told);
        self.text.extend_from_slice(stamp);
        self.text.extend_from_slice(ID);
    }

    /// Writes the call with this number.
    #[inline]
    pub(super) fn put(&self, id: u32, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.get(..self.head_len).unwrap_or_default());
        out.extend_from_slice(data);
        out.extend_from_slice(self.text.get(self.head_len..).unwrap_or_default());
        put_number(out, u64::from(id));
        out.extend_from_slice(END);
    }
}

impl Drop for CallText {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl Default for CallText {
    fn default() -> Self {
        Self::new()
    }
}

/// Without the token.
impl fmt::Debug for CallText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallText").field("action", &self.action).finish_non_exhaustive()
    }
}
