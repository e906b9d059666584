//! What waits to be written, and all else that stands under a connection's one lock: the open calls, what waits for credit.
//! What is decided is decided by the machines of [`pnet_protocol::connection`]; here are the wakers, the server's account, the
//! counts and the buffers.

mod batch;
mod calls;
mod locked;
#[cfg(feature = "console")]
mod operators;
mod queue;
mod rare;
#[cfg(feature = "inspect")]
mod seen;
mod streams;
mod writing;

use std::{fmt, sync::Arc, task::Waker};

use bytes::Bytes;
use pnet_protocol::{
    connection::{Parked, Pings, Queue, SendRefused, Violation, sooner},
    limits::Limits,
    secret::Hidden,
    wire::Writer,
};
use tokio::time::Instant;

#[cfg(feature = "console")]
pub(crate) use self::operators::{Asked as OperatorsAsked, Collected, Injected, MAX_RUNS, NotInjected, Outcome};
pub(crate) use self::{
    batch::{micros_now, weight},
    calls::{Asked, Until},
    locked::Locked,
    rare::Rare,
    writing::Addressed,
};
use self::{calls::Pending, locked::Wakers};
use super::{budget::Account, counters::Sent};
use crate::{
    config,
    counts::{Met, Sends, Which},
    error::{Closed, ClosedBy, SendError},
    seldom::Seldom,
};

/// Something was finished outside of the driver.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Done {
    /// The call with this id was answered.
    Call(u32),
    /// A packet was handled whose frame was so long.
    Packet(u32),
}

/// The sending half of a connection.
pub(crate) struct Outbox {
    /// Frames that go with the next write.
    pub(crate) buf: Vec<u8>,
    /// How much of it the driver has seen.
    seen: usize,
    /// The calls this side has open.
    calls: Seldom<Pending>,
    /// What few connections have.
    pub(crate) rare: Seldom<Rare>,
    /// Why the connection is gone; nothing is accepted any more.
    pub(crate) gone: Option<Arc<Closed>>,
    /// Packets and calls of this side are refused; answers are not.
    pub(crate) suspended: bool,
    /// Packets and calls that have gone into `buf`.
    pub(crate) sent: Sent,
    /// The same by actions.
    pub(crate) sends: Sends,
    /// The peer has ended its stream: it may still read, but answers nothing any more.
    deaf: Option<Arc<Closed>>,
    /// What was finished outside of the driver.
    pub(crate) finished: Vec<Done>,
    /// The driver's waker, and whether somebody is going to flush anyway.
    driver: Option<Waker>,
    busy: bool,
    /// What the peer still takes, and how it is written.
    pub(crate) writer: Writer,
    /// What cannot go into `buf` yet.
    pub(crate) queue: Seldom<Queue<Bytes, Waker>>,
    /// The transport refuses the batch that is being written: what comes now is parked.
    blocked: bool,
    /// The driver does not read for now, as too much is held.
    stopped: bool,
    account: Account,
    /// What the driver holds: the batch, the beginning of a frame, what its handlers have not finished.
    driver_holds: usize,
    /// Who is woken when the lock is released.
    wakers: Wakers,
    /// Whether this batch has its TIME frame: it holds a packet or a call.
    timed: bool,
    /// What this side told the peer that it takes.
    local: Limits,
    pub(crate) pings: Pings,
}

/// Without what is sent.
impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("buf", &Hidden::of(&self.buf))
            .field("gone", &self.gone)
            .field("suspended", &self.suspended)
            .field("blocked", &self.blocked)
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    pub(crate) fn new(writer: Writer, local: &Limits, account: Account, sends: Sends) -> Self {
        Self {
            buf: Vec::new(),
            seen: 0,
            calls: Seldom::new(),
            rare: Seldom::new(),
            gone: None,
            suspended: false,
            sent: Sent::default(),
            sends,
            deaf: None,
            finished: Vec::new(),
            driver: None,
            busy: false,
            writer,
            queue: Seldom::new(),
            blocked: false,
            stopped: false,
            account,
            driver_holds: 0,
            wakers: Wakers::new(),
            timed: false,
            pings: Pings::default(),
            local: *local,
        }
    }

    /// Sends a one-way packet, given as its whole frame. If it has to wait, `kept` is the copy that many connections share.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is no room, whatever the packet's rule is then; else why it can never be sent.
    #[inline]
    pub(crate) fn send(
        &mut self,
        action: u16,
        frame: &[u8],
        kept: Option<&mut Option<Bytes>>,
    ) -> Result<(), SendError> {
        // How most packets go.
        let open = self.gone.is_none() && !self.suspended && self.is_direct();
        if !open || self.account.is_full() || !self.writer.packet_now(frame, self.timed, &mut self.buf) {
            return self.send_or_park(action, frame, kept);
        }
        self.sent.packets += 1;
        self.sends.packet(Which::new(action));
        self.settle();
        self.wake_driver();
        Ok(())
    }

    fn send_or_park(&mut self, action: u16, frame: &[u8], kept: Option<&mut Option<Bytes>>) -> Result<(), SendError> {
        if let Some(closed) = &self.gone {
            return Err(SendError::Disconnected(Arc::clone(closed)));
        }
        if self.suspended {
            return Err(SendError::Suspended);
        }
        if !self.writer.can_push() {
            return Err(SendError::Unsupported);
        }
        self.writer.check_packet(frame).map_err(refused)?;
        if self.account.is_full() {
            self.sends.met(Met::MaxMemory);
            return Err(SendError::Full);
        }
        if self.is_direct() && self.writer.can_send_packet() {
            self.write_packet(action, frame);
            self.settle();
            self.wake_driver();
            return Ok(());
        }
        if !self.has_room(frame.len()) {
            self.note_full();
            return Err(SendError::Full);
        }
        let (frame, shared) = match kept {
            Some(kept) => (kept.get_or_insert_with(|| self.account.share(frame)).clone(), true),
            None => (Bytes::copy_from_slice(frame), false),
        };
        self.park(Parked { frame, shared, action, call: None });
        self.wake_stopped();
        Ok(())
    }

    /// Whether a sender who may wait had better do so: the next write makes room, and nothing has to be copied meanwhile.
    pub(crate) fn makes_room_soon(&self) -> bool {
        self.is_next() && self.busy && !self.suspended && self.writer.can_send_packet()
    }

    /// The peer gives credit for one-way packets.
    pub(crate) fn credit(&mut self, packets: u32, bytes: u32) -> Result<(), Violation> {
        self.writer.handle_credit(packets, bytes)?;
        self.unpark();
        Ok(())
    }

    /// Does what the time has come for.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.expire_calls(now);
        self.cancel_late(now);
        // Some time is over of what a peer of the old form is given.
        if let Some(close) = self.writer.handle_timeout(now.into_std())
            && self.rare.close.is_none()
        {
            self.rare.close = Some(Closed::new(close.code, close.reason, ClosedBy::Here));
        }
        self.unpark();
    }

    /// What the connection holds, the frames that it shares with others included; `None` if it is gone.
    pub(crate) fn holds(&self) -> Option<usize> {
        self.gone.is_none().then(|| self.own() + self.queue.bytes() - self.queue.own())
    }

    /// The driver is about to sleep, and holds so much.
    #[inline]
    pub(crate) fn settle_driver(&mut self, held: usize) {
        self.driver_holds = held;
        self.settle();
    }

    /// Tells the server what is held here, if it has changed much. What handlers that run to their end hold of a connection
    /// that is gone does not count: no reading and no closing sets it free, so it must not cost others their connections.
    #[inline]
    fn settle(&mut self) {
        if self.account.counts() {
            self.account.settle(if self.gone.is_none() { self.own() } else { 0 });
        }
    }

    /// What is held for this connection alone.
    fn own(&self) -> usize {
        weight(&self.buf) + self.queue.own() + self.driver_holds + self.calls.table.unread()
    }

    /// So much is held that nothing should be read. `true` if that is so, and then `driver` is told when it is over. What the
    /// peer has to say is read all the same if this side waits for it: it may be what sets memory free.
    pub(crate) fn stop_reading(&mut self, driver: &Waker) -> bool {
        let expects = !self.queue.is_empty() && !self.blocked || self.awaits_answers();
        self.stopped = !expects && self.account.wait_to_read(driver);
        self.stopped
    }

    /// Something is waited for that only the peer can bring: the driver has to read, whatever is held.
    fn wake_stopped(&mut self) {
        if std::mem::take(&mut self.stopped) {
            self.wake_anyway();
        }
    }

    /// When the driver has to look again, if nothing happens before.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        let given_up = self.writer.is_one_by_one() && self.calls.table.has_given_up();
        let peer = self.writer.due(given_up, || Instant::now().into_std());
        let refused = self.queue.refused_since().map(|since| since + config::WRITE);
        sooner(sooner(self.calls.table.due(), refused), peer).map(Instant::from_std)
    }

    /// Wakes the driver, whatever it does now: for what does not concern the buffer. A turn that has begun may not see
    /// it any more, and a write that is refused may last.
    pub(crate) fn wake_anyway(&mut self) {
        self.busy = true;
        self.wakers.extend(self.driver.clone());
    }

    /// Whether something was left for the driver since it looked last.
    pub(crate) fn has_requests(&self) -> bool {
        !self.finished.is_empty() || self.rare.has_requests()
    }

    /// Wakes the driver, unless somebody is going to flush anyway.
    #[inline]
    pub(crate) fn wake_driver(&mut self) {
        if !self.busy {
            self.wake_anyway();
        }
    }

    /// Whether everything accepted has been handed to the driver, and no caller waits.
    pub(crate) fn is_drained(&self) -> bool {
        self.buf.is_empty() && self.queue.is_empty() && !self.awaits_answers()
    }

    /// Why no call can be answered, if that is so.
    pub(crate) fn unanswerable(&self) -> Option<&Arc<Closed>> {
        self.gone.as_ref().or(self.deaf.as_ref())
    }

    /// Whether the end has begun, or has come.
    #[cfg(feature = "inspect")]
    pub(crate) fn is_ending(&self) -> bool {
        self.gone.is_some() || self.deaf.is_some() || self.rare.has_requests()
    }

    /// The peer will not answer any more: fails the open calls.
    pub(crate) fn deafen(&mut self, closed: &Arc<Closed>) {
        self.deaf = Some(Arc::clone(closed));
        if let Some(queue) = self.queue.get_mut() {
            queue.drop_calls();
        }
        self.wake_senders();
        self.lose_calls();
    }

    pub(crate) fn set_gone(&mut self, closed: &Arc<Closed>) {
        self.gone = Some(Arc::clone(closed));
        self.sends.flush();
        self.wake_senders();
        self.queue = Seldom::new();
        self.wake_producers();
        self.lose_calls();
        // Nothing follows a close frame.
        if let Some(calls) = self.calls.get_mut() {
            calls.table.stop_cancelling();
        }
        self.settle();
    }

    /// From now on, packets and calls are refused, or are taken again. Those that were taken before go their way.
    pub(crate) fn set_suspended(&mut self, suspended: bool) {
        self.suspended = suspended;
        if suspended {
            self.wake_senders();
        }
    }
}

/// What the peer does not take.
fn refused(refused: SendRefused) -> SendError {
    match refused {
        SendRefused::TooLong { len, max } => SendError::TooLong { len: len as u64, max: max.into() },
        _ => SendError::Full,
    }
}
