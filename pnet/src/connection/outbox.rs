//! What waits to be written, and all else that stands under a connection's one lock: the open calls, what waits for credit.
//! What is decided is decided by the machines of [`pnet_protocol::connection`]; here are the wakers, the server's account, the
//! counts and the buffers.

mod calls;
#[cfg(feature = "console")]
mod operators;
mod queue;
mod rare;
#[cfg(feature = "inspect")]
mod seen;
mod streams;

use std::{
    fmt,
    sync::Arc,
    task::Waker,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use pnet_protocol::{
    close::Close,
    connection::{Ahead, Answer, Parked, Pings, Queue, ReplyTo, SendRefused, Violation},
    failure::{Failure, code},
    json::{Form, JsonWelcome, Replies},
    limits::Limits,
    reply::Verdict,
    secret::Hidden,
    wire::Writer,
};
use tokio::time::Instant;

use self::calls::Pending;
#[cfg(feature = "console")]
pub(crate) use self::operators::{Asked as OperatorsAsked, Collected, Injected, MAX_RUNS, NotInjected, Outcome};
pub(crate) use self::{
    calls::{Asked, Until},
    rare::Rare,
};
use super::{budget::Account, counters::Sent, wakers::Wakers};
use crate::{
    buffers, config,
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
    pub(super) wakers: Wakers,
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

/// A frame for many connections. One of them has to keep it before it is made to be shared.
pub(crate) struct SharedFrame {
    pub(crate) action: u16,
    pub(crate) frame: Vec<u8>,
    pub(crate) kept: Option<Bytes>,
}

/// Without the frame.
impl fmt::Debug for SharedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFrame").field(&Hidden::of(&self.frame)).finish()
    }
}

impl Drop for SharedFrame {
    fn drop(&mut self) {
        buffers::give(std::mem::take(&mut self.frame));
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

    /// The other side of a JSON connection has shown what it is.
    pub(crate) fn set_form(&mut self, form: Form) {
        self.writer.set_form(form);
        self.forget_text();
    }

    /// Calls are written in another way from now on.
    fn forget_text(&mut self) {
        if let Some(calls) = self.calls.get_mut() {
            calls.text.forget();
        }
    }

    /// A JSON server's handshake came after the connection was opened without.
    pub(crate) fn welcomed(&mut self, welcome: &JsonWelcome) {
        self.writer.welcomed(welcome);
        self.forget_text();
        // Streams that are open already get their credit from now on, if the server goes by it.
        let (items, bytes) = self.writer.stream_window(&self.local).size();
        if let Some(calls) = self.calls.get_mut() {
            calls.table.narrow_streams(items, bytes);
        }
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

    /// Whether a ping is to be written.
    pub(crate) const fn is_ping_due(&self) -> bool {
        self.pings.are_due() && self.gone.is_none() && self.writer.can_ping()
    }

    /// Writes the ping that is due.
    pub(crate) fn write_ping(&mut self, now: Instant) {
        self.date();
        self.writer.ping(self.pings.begin(now.into_std()), &mut self.buf);
    }

    /// A pong has come. `false`: not for the last ping.
    pub(crate) fn ponged(&mut self, nonce: u64, now: Instant) -> bool {
        let ponged = self.pings.ponged(nonce, now.into_std());
        if ponged && self.pings.are_wanted() {
            self.wake_driver();
        }
        ponged
    }

    /// Writes the sign of life that was asked for.
    pub(crate) fn write_pong(&mut self, nonce: Option<u64>) {
        self.date();
        self.writer.pong(nonce, &mut self.buf);
    }

    /// Writes this side's last words; `alone` if nothing else is on its way.
    pub(crate) fn write_close(&mut self, close: Close<'_>, alone: bool) {
        self.date();
        let alone = alone && self.buf.is_empty();
        self.writer.close(close, alone, &mut self.buf);
    }

    /// Puts the answers that the driver has gathered where they belong: before what has come since it looked last. Nothing
    /// follows a close frame.
    pub(crate) fn insert_answers(&mut self, frames: &[u8]) {
        if self.gone.is_none() && !frames.is_empty() {
            self.open_buf();
            let at = self.seen.min(self.buf.len());
            if at == self.buf.len() {
                self.buf.extend_from_slice(frames);
            } else {
                self.buf.splice(at..at, frames.iter().copied());
            }
            self.settle();
        }
        self.see();
    }

    /// The driver looks: what comes from now on stands behind the answers that it has given.
    pub(crate) const fn see(&mut self) {
        self.seen = self.buf.len();
    }

    /// Writes the answer to an incoming call. An answer longer than the peer takes becomes a failure.
    pub(crate) fn write_answer(
        &mut self,
        to: &ReplyTo,
        outcome: &Result<Verdict, Failure>,
        payload: &[u8],
        (action, stream): (&str, bool),
    ) {
        let answer = match outcome {
            Ok(Verdict::Reply) => Answer::Reply(payload),
            Ok(Verdict::Error) => Answer::Error(payload),
            Ok(Verdict::End) => Answer::End,
            Ok(_) => Answer::Failure { code: code::INTERNAL, message: "the handler gave no answer" },
            Err(failure) => Answer::Failure { code: failure.code(), message: failure.message() },
        };
        self.date();
        if let Err(refused) = self.writer.answer(to, answer, stream, &mut self.buf) {
            tracing::error!(action, %refused, "the answer is longer than the peer takes");
            let answer = Answer::Failure { code: code::TOO_LONG, message: &refused.to_string() };
            let told = self.writer.answer(to, answer, stream, &mut self.buf);
            debug_assert!(told.is_ok(), "a failure is short: {told:?}");
        }
        self.settle();
    }

    /// Writes the schema of the protocol to a peer that has asked for it.
    pub(crate) fn write_schema(&mut self, to: &ReplyTo, text: &str) {
        self.date();
        if let Err(refused) = self.writer.schema(to, text, &mut self.buf) {
            tracing::debug!(%refused, "the schema is longer than the peer takes");
        }
        self.settle();
    }

    /// How replies to calls of an action are written in this batch, where that can be done apart; with an empty buffer.
    pub(crate) fn replies(&mut self, action: u16, text: Vec<u8>) -> Option<Replies> {
        self.date();
        self.writer.replies(action, text)
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

    /// The transport takes no more of the batch. Until it does, packets stay what they are, shared with other connections
    /// as often as not, and no buffer grows.
    pub(crate) fn block(&mut self) {
        self.blocked = true;
        self.wake_room();
        if self.buf.is_empty() {
            buffers::give(std::mem::take(&mut self.buf));
        }
    }

    /// The transport has taken the whole batch.
    pub(crate) fn unblock(&mut self) {
        self.blocked = false;
        self.unpark();
    }

    /// When the driver has to look again, if nothing happens before.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        let calls = self.calls.table.due().map(Instant::from_std);
        let given_up = self.writer.is_one_by_one() && self.calls.table.has_given_up();
        let peer = self.writer.due(given_up, || Instant::now().into_std()).map(Instant::from_std);
        let refused = self.refused_since().map(|since| since + config::WRITE);
        [calls, refused, peer].into_iter().flatten().min()
    }

    /// Takes the frames to be written, leaving the empty `batch` in their place. `false`: there are none, and nobody will
    /// flush until somebody wakes the driver.
    pub(crate) fn take_batch(&mut self, batch: &mut Vec<u8>) -> bool {
        self.end_batch();
        if self.rest_empty() {
            return false;
        }
        if batch.capacity() == 0 {
            *batch = buffers::take_large();
        }
        std::mem::swap(&mut self.buf, batch);
        true
    }

    /// `true`: nothing has gathered, and nobody will flush until somebody wakes the driver.
    pub(crate) fn rest_empty(&mut self) -> bool {
        let empty = self.buf.is_empty();
        if empty {
            self.busy = false;
            if self.buf.capacity() > KEPT {
                buffers::give(std::mem::take(&mut self.buf));
            }
        }
        empty
    }

    /// What has gathered is written now; what comes next goes with another write.
    pub(crate) fn end_batch(&mut self) {
        self.seen = 0;
        self.timed = false;
        self.writer.end_batch();
        if let Some(calls) = self.calls.get_mut() {
            calls.end_batch();
        }
    }

    /// The driver runs: it will flush, nobody needs to wake it. `true` if its waker is the same as the last time.
    pub(crate) fn driver_runs(&mut self, waker: &Waker) -> bool {
        self.busy = true;
        let same = self.driver.as_ref().is_some_and(|driver| driver.will_wake(waker));
        if !same {
            self.driver = Some(waker.clone());
        }
        same
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

    /// The driver is about to sleep without taking the buffer: from now on it wants to be woken. `true`: there is
    /// a packet, a call or a ping to be written.
    pub(crate) fn rest(&mut self) -> bool {
        self.busy = false;
        self.timed || self.is_ping_due()
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

    /// Whether so much waits to be written that no new work should be started.
    pub(crate) const fn is_overfull(&self) -> bool {
        self.buf.len() >= HOLD_ABOVE
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

    /// Accepts a packet into the buffer. The caller has checked credit and length.
    fn write_packet(&mut self, action: u16, frame: &[u8]) {
        self.begin_batch();
        self.sent.packets += 1;
        self.sends.packet(Which::new(action));
        let written = self.writer.packet(frame, &mut self.buf);
        debug_assert!(written.is_ok(), "credit and length were checked: {written:?}");
    }

    /// The first packet or call of a batch is preceded by the time.
    fn begin_batch(&mut self) {
        if !self.timed {
            self.timed = true;
            self.open_buf();
            self.writer.begin_batch(micros_now(), &mut self.buf);
        }
    }

    /// Something is about to be written. A buffer that was used before need not grow again.
    #[inline]
    fn open_buf(&mut self) {
        open(&mut self.buf);
    }

    /// Anything else may need the time, too.
    fn date(&mut self) {
        self.open_buf();
        if self.writer.needs_time() {
            self.writer.begin_batch(micros_now(), &mut self.buf);
        }
    }

    /// Whether what comes now may go into the buffer, as far as its order and the buffer's length are concerned.
    #[inline]
    fn is_direct(&self) -> bool {
        self.queue.is_empty() && self.ahead().has_room()
    }

    /// Whether nothing but the next write is missing for what comes now to go into the buffer.
    fn is_next(&self) -> bool {
        self.gone.is_none() && self.queue.is_next(self.ahead())
    }

    #[inline]
    const fn ahead(&self) -> Ahead {
        Ahead { bytes: self.buf.len(), blocked: self.blocked }
    }
}

/// Something is about to be written.
#[inline]
fn open(buf: &mut Vec<u8>) {
    if buf.capacity() == 0 {
        *buf = buffers::take_large();
    }
}

/// What the peer does not take.
fn refused(refused: SendRefused) -> SendError {
    match refused {
        SendRefused::TooLong { len, max } => SendError::TooLong { len: len as u64, max: max.into() },
        _ => SendError::Full,
    }
}

/// What a buffer occupies. Of a short one its contents, so that recycled buffers do not seem to be full ones.
pub(crate) const fn weight(buf: &Vec<u8>) -> usize {
    if buf.len() < COUNTED_WHOLE { buf.len() } else { buf.capacity() }
}

/// The time as the wire has it.
pub(crate) fn micros_now() -> i64 {
    micros_since_1970(SystemTime::now())
}

/// Microseconds since 1970, negative before; saturating.
fn micros_since_1970(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

/// New work is not started while this much waits to be written.
const HOLD_ABOVE: usize = 1024 * 1024;
/// Bytes of an empty out-buffer that stay with the connection: room for what is sent to many at once, when there are not
/// buffers enough for all of them.
const KEPT: usize = 128;
/// Of a buffer that holds less, only what it holds counts.
const COUNTED_WHOLE: usize = 4 * 1024;
