//! One live connection: what its handles share ([`Conn`]) and the task that drives it ([`driver`]).
//!
//! One short lock ([`Outbox`]) holds everything a handle touches: the frames to be written, the packets that wait for
//! credit, the open calls, the driver's waker and the reason why the connection is gone. User code (serializing,
//! deserializing, wakers) never runs under it.

pub(crate) mod budget;
pub(crate) mod counters;
#[cfg(feature = "console")]
pub(crate) mod detached;
pub(crate) mod half_open;
pub(crate) mod join;
mod meta;
#[cfg(feature = "console")]
pub(crate) mod operated;
pub(crate) mod outbox;
pub(crate) mod registry;
#[cfg(feature = "inspect")]
pub(crate) mod traffic;
pub(crate) mod waiting;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

#[cfg(feature = "inspect")]
pub(crate) use pnet_protocol::connection::QUEUE_PACKETS;
pub(crate) use pnet_protocol::connection::{AnswerBytes, CallState, Payload, SHORT_LEN, Short, Told};
use pnet_protocol::{
    close::{Close, CloseCode},
    connection::ReplyTo,
    dialect::Dialect,
    document,
    failure::Failure,
    handshake::ShapePolicy,
    id::ConnectionId,
    key::Fingerprint,
    limits::Limits,
    protocol::{ActionInfo, Direction, ProtocolInfo, Role},
    reply::Verdict,
    wire::Writer,
};
use tokio::sync::Notify;

pub use self::meta::Meta;
pub(crate) use self::outbox::{Addressed, Asked, Done, Outbox, Until, micros_now};
#[cfg(feature = "console")]
pub(crate) use self::outbox::{Collected, Injected, MAX_RUNS, NotInjected, OperatorsAsked, Outcome};
use self::{
    budget::{Account, Budget},
    counters::Counters,
    outbox::Locked,
};
use crate::{
    config,
    counts::{Sends, Trace},
    error::{Closed, ClosedBy},
    transport::PeerAddr,
};

/// What the handles of one connection share.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: ConnectionId,
    pub(crate) addr: PeerAddr,
    /// The key that the other side has proved to hold.
    pub(crate) key: Option<Arc<Fingerprint>>,
    pub(crate) since: SystemTime,
    pub(crate) info: &'static ProtocolInfo,
    pub(crate) dialect: Dialect,
    /// What this side sends.
    outgoing: &'static Direction,
    pub(crate) call_timeout: Option<std::time::Duration>,
    pub(crate) counters: Counters,
    pub(crate) trace: Trace,
    /// What all connections of the server may hold; a client has none.
    budget: Option<Arc<Budget>>,
    out: Mutex<Outbox>,
    /// Whether anybody but the driver has had the lock since the driver looked last.
    touched: AtomicBool,
    /// The connection has ended, or a ping was answered.
    news: Notify,
    /// Whether the last frame was written, or never will be.
    written: AtomicBool,
    clients: AtomicUsize,
    pub(crate) cut: Cut,
    /// Nobody is at the other end: it is for a handler that an operator runs without a peer.
    #[cfg(feature = "console")]
    detached: bool,
}

/// What the end of a shutdown's grace has cut off.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// Calls that were accepted and get no answer.
    calls: AtomicU32,
    /// Whether the connection itself was not at its end.
    pub(crate) connection: AtomicBool,
}

impl Cut {
    pub(crate) fn count(&self, calls: usize) {
        self.calls.fetch_add(u32::try_from(calls).unwrap_or(u32::MAX), Ordering::AcqRel);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Acquire) as usize
    }
}

impl Conn {
    pub(crate) fn new(
        id: ConnectionId,
        (addr, key): (PeerAddr, Option<Fingerprint>),
        (role, info): (Role, &'static ProtocolInfo),
        (writer, local): (Writer, &Limits),
        call_timeout: Option<std::time::Duration>,
        budget: Option<Arc<Budget>>,
        trace: Trace,
    ) -> Arc<Self> {
        let account = Account::new(budget.clone());
        Arc::new(Self {
            id,
            addr,
            key: key.map(Arc::new),
            since: SystemTime::now(),
            info,
            dialect: writer.dialect(),
            outgoing: info.sent_by(role),
            call_timeout,
            counters: Counters::default(),
            budget,
            out: Mutex::new(Outbox::new(writer, local, account, Sends::new(id, trace.counts().clone()))),
            trace,
            touched: AtomicBool::new(false),
            news: Notify::new(),
            written: AtomicBool::new(false),
            clients: AtomicUsize::new(0),
            cut: Cut::default(),
            #[cfg(feature = "console")]
            detached: false,
        })
    }

    /// The lock. Dropped, it wakes whom what was done under it concerns. A panic while it was held (there is no user code
    /// under it) leaves nothing half-done that matters more than going on.
    #[inline]
    pub(crate) fn out(&self) -> Locked<'_> {
        let out = self.lock();
        self.touched.store(true, Ordering::Relaxed);
        out
    }

    /// The lock, for what the driver does that is not to be told from what it did before.
    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked::new(self.out.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lock, for the driver, which sees by it what others have done.
    #[inline]
    pub(crate) fn look(&self) -> Locked<'_> {
        let out = self.lock();
        self.touched.store(false, Ordering::Relaxed);
        out
    }

    /// Whether anybody but the driver has had the lock since the driver looked last. What a handler has done on the driver's
    /// thread, or before it returned, is seen; of others the lock tells.
    #[inline]
    pub(crate) fn was_touched(&self) -> bool {
        self.touched.load(Ordering::Relaxed)
    }

    /// Asks the driver to close: what is in the out-buffer is written first, what waits for credit is dropped.
    pub(crate) fn request_close(&self, closed: Closed) {
        let mut out = self.out();
        if out.gone.is_none() && out.rare.close.is_none() {
            out.rare.close = Some(closed);
            out.wake_anyway();
        }
    }

    /// Asks the driver to finish what was accepted, and then to close.
    pub(crate) fn request_drain(&self, closed: Closed, deadline: tokio::time::Instant) {
        let mut out = self.out();
        if out.gone.is_some() {
            return;
        }
        match &mut out.rare.drain {
            Some((_, until)) => *until = deadline.min(*until),
            drain => *drain = Some((closed, deadline)),
        }
        out.drain_producers();
        out.wake_anyway();
    }

    /// Drops whatever still runs, `finish` handlers too: the grace of a shutdown is over.
    pub(crate) fn kill(&self) {
        let mut out = self.out();
        out.rare.kill = true;
        out.wake_anyway();
    }

    /// Refuses what this side would send of its own accord, or takes it again. Who waits for room learns of it.
    pub(crate) fn set_suspended(&self, suspended: bool) {
        self.out().set_suspended(suspended);
    }

    /// Marks the connection as gone: every open call, every waiting sender and every `closed()` learns the reason.
    pub(crate) fn set_gone(&self, closed: Closed) -> Arc<Closed> {
        let mut out = self.out();
        if let Some(closed) = &out.gone {
            return Arc::clone(closed);
        }
        let closed = Arc::new(closed);
        out.set_gone(&closed);
        let woken = out.release();
        self.trace.closed(&closed);
        drop(woken);
        self.news.notify_waiters();
        closed
    }

    /// The queue is full, and the packet that does not fit must not be missed: ends the connection on the spot.
    pub(crate) fn overrun(&self) -> Arc<Closed> {
        let reason = "the queue is full, and the packet's rule is to disconnect then";
        self.cut_off(Closed::new(CloseCode::SlowConsumer, reason, ClosedBy::Here))
    }

    /// Ends the connection on the spot: what it holds is let go of, and the peer is told nothing.
    pub(crate) fn cut_off(&self, closed: Closed) -> Arc<Closed> {
        let closed = self.set_gone(closed);
        if closed.code() == CloseCode::SlowConsumer {
            let mut out = self.out();
            out.rare.cut_off = true;
            out.wake_anyway();
        }
        closed
    }

    /// Whether the server's connections hold so much that nothing should be read.
    pub(crate) fn is_tight(&self) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.is_tight())
    }

    pub(crate) fn gone(&self) -> Option<Arc<Closed>> {
        self.out().gone.clone()
    }

    /// A ping was answered: whoever asked meanwhile has to look.
    pub(crate) fn ponged(&self) {
        self.news.notify_waiters();
    }

    /// Nothing more will be written.
    pub(crate) fn set_written(&self) {
        self.written.store(true, Ordering::Release);
        self.news.notify_waiters();
    }

    /// Waits until the connection is gone, its last frame included.
    pub(crate) async fn written(&self) -> Arc<Closed> {
        loop {
            let ended = self.news.notified();
            if self.written.load(Ordering::Acquire)
                && let Some(closed) = self.gone()
            {
                return closed;
            }
            ended.await;
        }
    }

    pub(crate) async fn closed(&self) -> Arc<Closed> {
        loop {
            let ended = self.news.notified();
            if let Some(closed) = self.gone() {
                return closed;
            }
            ended.await;
        }
    }

    /// Measures a round trip that begins now.
    pub(crate) async fn ping(&self) -> Result<std::time::Duration, Arc<Closed>> {
        let nonce = {
            let mut out = self.out();
            out.pings.ask(false);
            out.wake_anyway();
            out.pings.next()
        };
        loop {
            let ponged = self.news.notified();
            {
                let out = self.out();
                if let Some(rtt) = out.pings.rtt_since(nonce) {
                    return Ok(rtt);
                }
                if let Some(closed) = &out.gone {
                    return Err(Arc::clone(closed));
                }
            }
            ponged.await;
        }
    }

    /// The action with this number among those that this side sends.
    pub(crate) fn action(&self, id: u16) -> &'static ActionInfo {
        self.outgoing.get(id).expect("`protocol!` numbers the actions it lists")
    }

    /// What this side sends.
    pub(crate) const fn outgoing(&self) -> &'static Direction {
        self.outgoing
    }

    /// Writes the answer to an incoming call: the payload in `bytes`, or the failure. Both ends of a wrong answer learn of
    /// it: an answer the peer could not take becomes a failure. `true` if by now so much waits to be written that no new
    /// work should be started.
    pub(crate) fn answer(&self, answering: Addressed<'_>, outcome: &Result<Verdict, Failure>, bytes: &[u8]) -> bool {
        let mut out = self.out();
        if out.gone.is_some() {
            return false;
        }
        out.write_answer(answering, outcome, bytes);
        out.wake_driver();
        out.is_overfull()
    }

    /// Writes the schema of the protocol to a peer that has asked for it. `true` as [`answer`](Self::answer).
    pub(crate) fn tell_schema(&self, to: &ReplyTo, shapes: ShapePolicy) -> bool {
        let text = document::shared(self.info, shapes);
        let mut out = self.out();
        if out.gone.is_some() {
            return false;
        }
        out.write_schema(to, text);
        out.wake_driver();
        out.is_overfull()
    }

    /// An inbox has finished a one-way packet, whose credit goes back; or a call was answered, whose place is free.
    pub(crate) fn finished(&self, done: Done) {
        let mut out = self.out();
        out.finished.push(done);
        out.wake_driver();
    }

    /// A stream that this side produces is at its end, or nobody wants it any more.
    pub(crate) fn close_producer(&self, call: u32) {
        self.out().close_producer(call);
    }

    /// One more client handle. The last one dropped closes the connection.
    pub(crate) fn add_client(&self) {
        self.clients.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn drop_client(&self) {
        if self.clients.fetch_sub(1, Ordering::AcqRel) == 1 {
            let closed = Closed::new(CloseCode::Normal, "the last client handle was dropped", ClosedBy::Here);
            self.request_drain(closed, config::after(config::GRACE));
        }
    }
}

/// What tells the peer why this side ends the connection.
pub(crate) fn last_words(closed: &Closed) -> Close<'_> {
    Close::new(closed.code(), closed.reason()).with_retry(closed.retry())
}
