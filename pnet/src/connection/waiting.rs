//! Finds out whether a handler that is not ready waits for the other end of its own connection.
//!
//! The driver polls handlers on its own thread, so the operations that wait for the peer (a call's answer, credit for a
//! packet) can leave a note while they are polled. A handler that waits in a task of its own is not seen.

use std::cell::Cell;

use super::Conn;

/// Runs `poll` as a part of `conn`'s driver; the flag says whether something in it waits for `conn`'s peer.
pub(crate) fn watch<R>(conn: &Conn, poll: impl FnOnce() -> R) -> (R, bool) {
    let outer = Scope(CURRENT.replace(Some((address(conn), false))));
    let result = poll();
    let waits = matches!(CURRENT.get(), Some((_, true)));
    drop(outer);
    (result, waits)
}

/// Called by an operation that is about to return `Pending` because `conn`'s peer has to act first.
pub(crate) fn note(conn: &Conn) {
    if let Some((watched, false)) = CURRENT.get()
        && watched == address(conn)
    {
        CURRENT.set(Some((watched, true)));
    }
}

/// Puts back what was watched before: when a handler's poll runs another driver, and when it panics.
struct Scope(Option<(usize, bool)>);

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

fn address(conn: &Conn) -> usize {
    std::ptr::from_ref(conn).addr()
}

thread_local! {
    static CURRENT: Cell<Option<(usize, bool)>> = const { Cell::new(None) };
}
