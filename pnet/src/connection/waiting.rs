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
#[inline]
pub(crate) fn watch<R>(conn: &Conn, deadline: Option<Instant>, poll: impl FnOnce() -> R) -> (R, bool) {
    let scope = Scope(CURRENT.with(|current| current.replace(address(conn), deadline)));
    let result = poll();
    let waits = CURRENT.with(|current| current.waits.get());
    drop(scope);
    (result, waits)
}

/// How long the caller of the handler waits that is polled now, if it is a handler and its caller has said.
#[inline]
pub(crate) fn deadline() -> Option<Instant> {
    CURRENT.with(|current| current.deadline.get())
}

/// Called by an operation that is about to return `Pending` because `conn`'s peer has to act first.
#[inline]
pub(crate) fn note(conn: &Conn) {
    CURRENT.with(|current| {
        if current.conn.get() == address(conn) {
            current.waits.set(true);
        }
    });
}

/// The handler that is being polled.
struct Watched {
    /// Its connection's address; 0 if none is polled.
    conn: Cell<usize>,
    waits: Cell<bool>,
    deadline: Cell<Option<Instant>>,
}

impl Watched {
    const fn nobody() -> Self {
        Self { conn: Cell::new(0), waits: Cell::new(false), deadline: Cell::new(None) }
    }

    /// Another handler is polled, which does not wait yet; what was before.
    fn replace(&self, conn: usize, deadline: Option<Instant>) -> (usize, bool, Option<Instant>) {
        (self.conn.replace(conn), self.waits.replace(false), self.deadline.replace(deadline))
    }
}

/// Puts back what was watched before: when a handler's poll runs another driver, and when it panics.
struct Scope((usize, bool, Option<Instant>));

impl Drop for Scope {
    fn drop(&mut self) {
        let (conn, waits, deadline) = self.0;
        CURRENT.with(|current| {
            current.conn.set(conn);
            current.waits.set(waits);
            current.deadline.set(deadline);
        });
    }
}

fn address(conn: &Conn) -> usize {
    std::ptr::from_ref(conn).addr()
}

thread_local! {
    static CURRENT: Watched = const { Watched::nobody() };
}
