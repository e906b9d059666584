//! What has come of a stream and was not taken.

use std::{collections::VecDeque, fmt};

use super::Window;

/// A stream that this side consumes.
pub(super) struct Consumer {
    /// Each with what it occupies of the window.
    items: VecDeque<(Vec<u8>, u32)>,
    window: Window,
}

impl Consumer {
    pub(super) const fn new(window: Window) -> Self {
        Self { items: VecDeque::new(), window }
    }

    /// What the peer may send, to decide whether an item is one too many.
    pub(super) const fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    /// Keeps an item; what it holds.
    pub(super) fn push(&mut self, payload: Vec<u8>, len: u32) -> usize {
        let holds = weigh(&payload);
        self.items.push_back((payload, len));
        holds
    }

    /// The next item, what it held, and the credit that is due for it.
    pub(super) fn pop(&mut self) -> Option<(Vec<u8>, usize, Option<(u32, u32)>)> {
        let (payload, len) = self.items.pop_front()?;
        let holds = weigh(&payload);
        Some((payload, holds, self.window.finished(len)))
    }

    /// What its items hold.
    pub(super) fn holds(&self) -> usize {
        self.items.iter().map(|(payload, _)| weigh(payload)).sum()
    }
}

/// Without the items.
impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

/// What an item occupies: of a short one in a buffer that was used before, more than its length.
const fn weigh(payload: &Vec<u8>) -> usize {
    payload.capacity() + size_of::<(Vec<u8>, u32)>()
}
