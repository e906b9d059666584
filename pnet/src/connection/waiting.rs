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
    let scope = Scope(CURRENT.with(|current| current.begin(address(conn), deadline)));
    let result = poll();
    let waits = CURRENT.with(|current| current.waits.get());
    drop(scope);
    (result, waits)
}

/// How long the caller of the handler waits that is polled now, if it is a handler and its caller has said.
#[inline]
pub(crate) fn deadline() -> Option<Instant> {
    CURRENT.with(|current| if current.conn.get() == NOBODY { None } else { current.deadline.get() })
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
    /// Its connection's address, or [`NOBODY`]; then the rest is that of who was polled last.
    conn: Cell<usize>,
    waits: Cell<bool>,
    deadline: Cell<Option<Instant>>,
}

impl Watched {
    const fn nobody() -> Self {
        Self { conn: Cell::new(NOBODY), waits: Cell::new(false), deadline: Cell::new(None) }
    }

    /// Another handler is polled, which does not wait yet; who was polled before.
    #[inline]
    fn begin(&self, conn: usize, deadline: Option<Instant>) -> Option<Before> {
        let before = self.conn.replace(conn);
        let before =
            (before != NOBODY).then(|| Before { conn: before, waits: self.waits.get(), deadline: self.deadline.get() });
        self.waits.set(false);
        self.deadline.set(deadline);
        before
    }
}

/// Who was polled when a handler's poll ran another driver.
struct Before {
    conn: usize,
    waits: bool,
    deadline: Option<Instant>,
}

/// Puts back what was watched before, also when a handler panics.
struct Scope(Option<Before>);

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| match self.0.take() {
            None => current.conn.set(NOBODY),
            Some(Before { conn, waits, deadline }) => {
                current.conn.set(conn);
                current.waits.set(waits);
                current.deadline.set(deadline);
            }
        });
    }
}

fn address(conn: &Conn) -> usize {
    std::ptr::from_ref(conn).addr()
}

/// No connection has this address.
const NOBODY: usize = 0;

thread_local! {
    static CURRENT: Watched = const { Watched::nobody() };
}
