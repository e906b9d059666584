//! Wakers collected under a lock and woken outside of it, in a list that the thread uses again.

use std::{cell::Cell, task::Waker};

/// An empty list: taken, never borrowed, as whoever is woken may do the same.
#[inline]
pub(crate) fn take() -> Vec<Waker> {
    LIST.take()
}

/// Wakes them all, and gives the list back.
#[inline]
pub(crate) fn wake(mut wakers: Vec<Waker>) {
    wakers.drain(..).for_each(Waker::wake);
    if wakers.capacity() <= KEPT {
        LIST.set(wakers);
    }
}

/// Places that the list keeps.
const KEPT: usize = 4096;

thread_local! {
    static LIST: Cell<Vec<Waker>> = const { Cell::new(Vec::new()) };
}
