//! What a handler and the operations in it know of each other while it is polled.
//!
//! The driver polls handlers on its own thread, so the operations that wait for the peer (a call's answer, credit for a
//! packet) can leave a note that the handler waits for the other end of its own connection; and calls can look up how much
//! time the handler has. A handler that waits in a task of its own is not seen.

use std::cell::Cell;

use tokio::time::Instant;

use super::Conn;

/// Runs `poll` as a part of `conn`'s driver; the flag says whether something in it waits for `conn`'s peer. Whoever waits
/// for the handler does so until `deadline`.
pub(crate) fn watch<R>(conn: &Conn, deadline: Option<Instant>, poll: impl FnOnce() -> R) -> (R, bool) {
    let scope = Scope(CURRENT.replace(Watched { conn: address(conn), waits: false, deadline }));
    let result = poll();
    let waits = CURRENT.get().waits;
    drop(scope);
    (result, waits)
}

/// How long the caller of the handler waits that is polled now, if it is a handler and its caller has said.
pub(crate) fn deadline() -> Option<Instant> {
    CURRENT.get().deadline
}

/// Called by an operation that is about to return `Pending` because `conn`'s peer has to act first.
pub(crate) fn note(conn: &Conn) {
    let watched = CURRENT.get();
    if watched.conn == address(conn) {
        CURRENT.set(Watched { waits: true, ..watched });
    }
}

/// The handler that is being polled.
#[derive(Clone, Copy)]
struct Watched {
    /// Its connection's address; 0 if none is polled.
    conn: usize,
    waits: bool,
    deadline: Option<Instant>,
}

/// Puts back what was watched before: when a handler's poll runs another driver, and when it panics.
struct Scope(Watched);

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

fn address(conn: &Conn) -> usize {
    std::ptr::from_ref(conn).addr()
}

thread_local! {
    static CURRENT: Cell<Watched> = const { Cell::new(Watched { conn: 0, waits: false, deadline: None }) };
}
