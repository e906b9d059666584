//! What stands under a connection's one lock: the frames to be written, what waits for credit, the open calls.

mod calls;
#[cfg(feature = "console")]
mod operators;
mod pings;
mod queue;
mod rare;
#[cfg(feature = "inspect")]
mod seen;
mod streams;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use pnet_protocol::{
    close::Close,
    connection::{Answer, ReplyTo, SendRefused, Violation},
    failure::{Failure, code},
    json::{Form, JsonWelcome, Replies},
    limits::Limits,
    reply::Verdict,
    secret::Hidden,
    wire::{Reader, Writer},
};
use tokio::time::Instant;

#[cfg(feature = "console")]
pub(crate) use self::operators::{Asked as OperatorsAsked, Collected, Injected, MAX_RUNS, NotInjected, Outcome};
#[cfg(feature = "inspect")]
pub(crate) use self::queue::{QUEUE_BYTES, QUEUE_PACKETS};
use self::{
    calls::Asked,
    pings::Pings,
    queue::{Parked, Queue},
};
pub(crate) use self::{
    calls::{AnswerBytes, CallState, Payload, SHORT_LEN, Short, Told, Until},
    rare::Rare,
    streams::{Sent as SentItem, Wanted},
};
use super::counters::Sent;
use crate::{
    buffers, config,
    counts::{Met, Sends, Which},
    error::{Closed, ClosedBy},
    seldom::Seldom,
    server::Account,
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
pub(crate) struct Out {
    /// Frames that go with the next write.
    pub(crate) buf: Vec<u8>,
    /// How much of it the driver has seen.
    seen: usize,
    /// The calls this side has open.
    asked: Seldom<Asked>,
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
    writer: Writer,
    /// What cannot go into `buf` yet.
    queue: Seldom<Queue>,
    /// The last ticket of a sender that waits.
    tickets: u64,
    /// The transport refuses the batch that is being written: what comes now is parked.
    blocked: bool,
    /// The driver does not read for now, as too much is held.
    stopped: bool,
    account: Account,
    /// What the driver holds: the batch, the beginning of a frame, what its handlers have not finished.
    driver_holds: usize,
    /// Items of streams that nobody has taken.
    unread: Option<Arc<AtomicUsize>>,
    /// Whether this batch has its TIME frame: it holds a packet or a call.
    timed: bool,
    /// What this side told the peer that it takes.
    local: Limits,
    pings: Pings,
}

/// Without what is sent.
impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out")
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
    which: Which,
    frame: Vec<u8>,
    kept: Option<Bytes>,
}

/// Without the frame.
impl fmt::Debug for SharedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFrame").field(&Hidden::of(&self.frame)).finish()
    }
}

/// What became of a packet.
#[derive(Debug)]
pub(crate) enum Enqueued {
    /// It will be written; wake the driver with this.
    Taken(Option<Waker>),
    /// No room; ask again when woken.
    Full,
    /// Never: longer than the peer takes.
    TooLong { len: u64, max: u64 },
    /// Never: a peer of the old form takes nothing of that kind.
    Unsupported,
    /// Not while the connection is suspended.
    Suspended,
}

/// Why a call was not taken.
#[derive(Debug)]
pub(crate) enum CallRefused {
    /// No room; ask again when woken.
    Full,
    /// Longer than the peer takes.
    TooLong { len: u64, max: u64 },
    /// A peer of the old form cannot answer it.
    Unsupported,
    /// Not while the connection is suspended.
    Suspended,
    /// As many streams are open as the peer takes.
    Busy,
}

impl From<SendRefused> for CallRefused {
    fn from(refused: SendRefused) -> Self {
        match refused {
            SendRefused::TooLong { len, max } => Self::TooLong { len: len as u64, max: u64::from(max) },
            _ => Self::Full,
        }
    }
}

impl From<SendRefused> for Enqueued {
    fn from(refused: SendRefused) -> Self {
        match refused {
            SendRefused::TooLong { len, max } => Self::TooLong { len: len as u64, max: u64::from(max) },
            _ => Self::Full,
        }
    }
}

impl SharedFrame {
    pub(crate) const fn new(which: Which, frame: Vec<u8>) -> Self {
        Self { which, frame, kept: None }
    }
}

impl Drop for SharedFrame {
    fn drop(&mut self) {
        buffers::give(std::mem::take(&mut self.frame));
    }
}

impl Out {
    pub(crate) fn new(writer: Writer, local: &Limits, account: Account, sends: Sends) -> Self {
        Self {
            buf: Vec::new(),
            seen: 0,
            asked: Seldom::new(),
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
            tickets: 0,
            blocked: false,
            stopped: false,
            account,
            driver_holds: 0,
            unread: None,
            timed: false,
            pings: Pings::default(),
            local: *local,
        }
    }

    /// Takes a one-way packet, given as its whole frame.
    pub(crate) fn packet(&mut self, which: Which, frame: &[u8]) -> Enqueued {
        self.packet_or_park(which, frame, None)
    }

    /// Takes a one-way packet if nothing is in its way, as most often: the driver's waker, if it has to be woken. `None`: nothing
    /// was done, and [`packet`](Self::packet) tells what is to be.
    #[inline]
    pub(crate) fn packet_now(&mut self, which: Which, frame: &[u8]) -> Option<Option<Waker>> {
        let open = self.gone.is_none() && !self.suspended && self.is_direct();
        if !open || self.account.is_full() || !self.writer.packet_now(frame, self.timed, &mut self.buf) {
            return None;
        }
        self.sent.packets += 1;
        self.sends.packet(which);
        self.settle();
        Some(self.wake_driver())
    }

    /// Whether a sender who may wait had better do so: the next write makes room, and nothing has to be copied meanwhile.
    pub(crate) fn makes_room_soon(&self) -> bool {
        self.is_soon_direct() && self.busy && !self.suspended && self.writer.can_send_packet()
    }

    /// The same for a frame shared by many connections.
    pub(crate) fn shared_packet(&mut self, shared: &mut SharedFrame) -> Enqueued {
        self.packet_or_park(shared.which, &shared.frame, Some(&mut shared.kept))
    }

    fn packet_or_park(&mut self, which: Which, frame: &[u8], shared: Option<&mut Option<Bytes>>) -> Enqueued {
        if self.suspended {
            return Enqueued::Suspended;
        }
        if !self.writer.can_push() {
            return Enqueued::Unsupported;
        }
        if let Err(refused) = self.writer.check_packet(frame) {
            return refused.into();
        }
        if self.account.is_full() {
            self.sends.met(Met::MaxMemory);
            return Enqueued::Full;
        }
        if self.is_direct() && self.writer.can_send_packet() {
            self.write_packet(which, frame);
            self.settle();
            return Enqueued::Taken(self.wake_driver());
        }
        if !self.has_room(frame.len()) {
            self.note_full();
            return Enqueued::Full;
        }
        let (frame, shared) = match shared {
            Some(kept) => (kept.get_or_insert_with(|| self.account.share(frame)).clone(), true),
            None => (Bytes::copy_from_slice(frame), false),
        };
        self.park(Parked { frame, shared, which, call: None });
        Enqueued::Taken(self.wake_stopped())
    }

    pub(crate) fn credit(&mut self, packets: u32, bytes: u32) -> Result<(), Violation> {
        self.writer.handle_credit(packets, bytes)
    }

    /// The other side of a JSON connection has shown what it is.
    pub(crate) fn set_form(&mut self, form: Form) {
        self.writer.set_form(form);
        self.forget_text();
    }

    /// Calls are written in another way from now on.
    fn forget_text(&mut self) {
        if self.asked.is_taken() {
            self.asked.text.forget();
        }
    }

    /// A JSON server's handshake came after the connection was opened without.
    pub(crate) fn welcomed(&mut self, welcome: &JsonWelcome) {
        self.writer.welcomed(welcome);
        self.forget_text();
        // Streams that are open already get their credit from now on, if the server goes by it.
        let (items, bytes) = self.writer.stream_window(&self.local).size();
        self.each_call(|slot| {
            if let Some(consumer) = slot.consumer() {
                consumer.narrow(items, bytes);
            }
        });
    }

    /// A JSON client has said what it takes.
    pub(crate) const fn set_limits(&mut self, peer: &Limits) {
        self.writer.set_limits(peer);
    }

    /// A JSON client asks for its handshake.
    pub(crate) fn greet(&mut self, reader: &mut Reader) {
        reader.greet(micros_now(), &mut self.buf);
    }

    /// Some time is over of what a peer of the old form is given. The connection ends if its answers cannot be told apart
    /// any more.
    pub(crate) fn peer_is_late(&mut self, now: Instant) {
        if let Some(close) = self.writer.handle_timeout(now.into_std())
            && self.rare.close.is_none()
        {
            self.rare.close = Some(Closed::new(close.code, close.reason, ClosedBy::Here));
        }
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

    /// The longest frame that may answer a call; `None` where answers are no frames.
    pub(crate) const fn max_answer_len(&self) -> Option<u32> {
        self.writer.max_answer_len()
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
        let (bytes, own) = self.queued();
        self.gone.is_none().then(|| self.own() + bytes - own)
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
        weight(&self.buf)
            + self.queued().1
            + self.driver_holds
            + self.unread.as_ref().map_or(0, |unread| unread.load(Ordering::Relaxed))
    }

    /// So much is held that nothing should be read. `true` if that is so, and then `driver` is told when it is over. What the
    /// peer has to say is read all the same if this side waits for it: it may be what sets memory free.
    pub(crate) fn stop_reading(&mut self, driver: &Waker) -> bool {
        let expects = !self.queue.parked.is_empty() && !self.blocked || self.awaits_answers();
        self.stopped = !expects && self.account.wait_to_read(driver);
        self.stopped
    }

    /// Something is waited for that only the peer can bring: the driver has to read, whatever is held.
    fn wake_stopped(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.stopped) { self.wake_anyway() } else { None }
    }

    /// The transport takes no more of the batch. Until it does, packets stay what they are, shared with other connections
    /// as often as not, and no buffer grows.
    pub(crate) fn block(&mut self, wakers: &mut Vec<Waker>) {
        self.blocked = true;
        self.wake_room(wakers);
        if self.buf.is_empty() {
            buffers::give(std::mem::take(&mut self.buf));
        }
    }

    /// The transport has taken the whole batch.
    pub(crate) fn unblock(&mut self, wakers: &mut Vec<Waker>) {
        self.blocked = false;
        self.unpark(wakers);
    }

    /// When the driver has to look again, if nothing happens before.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        let peer = self.writer.due(|| Instant::now().into_std()).map(Instant::from_std);
        let cancels = if self.rare.is_taken() { self.rare.cancels.at } else { None };
        let refused = self.queue.refused_since.map(|since| since + config::WRITE);
        [self.asked.earliest, peer, cancels, refused].into_iter().flatten().min()
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
        if self.asked.is_taken() {
            self.asked.batch_time = None;
            self.asked.text.forget();
        }
        if self.rare.is_taken() {
            self.rare.cancels.in_batch = 0;
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

    /// The driver's waker, whatever it does now: for what does not concern the buffer. A turn that has begun may not see
    /// it any more, and a write that is refused may last.
    pub(crate) fn wake_anyway(&mut self) -> Option<Waker> {
        self.busy = true;
        self.driver.clone()
    }

    /// Whether something was left for the driver since it looked last.
    pub(crate) fn has_requests(&self) -> bool {
        !self.finished.is_empty() || self.rare.has_requests()
    }

    /// The driver's waker, unless somebody is going to flush anyway.
    #[inline]
    pub(crate) fn wake_driver(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.busy, true) { None } else { self.driver.clone() }
    }

    /// The driver is about to sleep without taking the buffer: from now on it wants to be woken. `true`: there is
    /// a packet, a call or a ping to be written.
    pub(crate) fn rest(&mut self) -> bool {
        self.busy = false;
        self.timed || self.is_ping_due()
    }

    /// Whether everything accepted has been handed to the driver, and no caller waits.
    pub(crate) fn is_drained(&mut self) -> bool {
        self.buf.is_empty() && self.queue.parked.is_empty() && !self.awaits_answers()
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
    pub(crate) fn deafen(&mut self, closed: &Arc<Closed>, wakers: &mut Vec<Waker>) {
        self.deaf = Some(Arc::clone(closed));
        self.drop_parked_calls();
        self.wake_senders(wakers);
        self.lose_calls(wakers);
    }

    /// Whether so much waits to be written that no new work should be started.
    pub(crate) const fn is_overfull(&self) -> bool {
        self.buf.len() >= HOLD_ABOVE
    }

    pub(crate) fn set_gone(&mut self, closed: &Arc<Closed>, wakers: &mut Vec<Waker>) {
        self.gone = Some(Arc::clone(closed));
        self.sends.flush();
        // Nothing follows a close frame.
        if self.rare.is_taken() {
            self.rare.cancels.at = None;
        }
        self.drop_queue(wakers);
        self.wake_producers(wakers);
        self.lose_calls(wakers);
        self.settle();
    }

    /// From now on, packets and calls are refused, or are taken again. Those that were taken before go their way.
    pub(crate) fn set_suspended(&mut self, suspended: bool, wakers: &mut Vec<Waker>) {
        self.suspended = suspended;
        if suspended {
            self.wake_senders(wakers);
        }
    }

    /// Accepts a packet into the buffer. The caller has checked credit and length.
    fn write_packet(&mut self, which: Which, frame: &[u8]) {
        self.begin_batch();
        self.sent.packets += 1;
        self.sends.packet(which);
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

    /// The time at which a call is queued. Those that go with the same batch share one.
    fn batch_time(&mut self, direct: bool) -> Instant {
        if direct { *self.asked.batch_time.get_or_insert_with(Instant::now) } else { Instant::now() }
    }

    /// The time of the batch that gathers now, if anybody has asked for it.
    pub(crate) fn batch_began(&self) -> Option<Instant> {
        self.asked.batch_time
    }

    /// Something is about to be written. A buffer that was used before need not grow again.
    #[inline]
    pub(super) fn open_buf(&mut self) {
        if self.buf.capacity() == 0 {
            self.buf = buffers::take_large();
        }
    }

    /// Anything else may need the time, too.
    fn date(&mut self) {
        self.open_buf();
        if self.writer.needs_time() {
            self.writer.begin_batch(micros_now(), &mut self.buf);
        }
    }

    /// Whether what comes now may go into the buffer, as far as its order and the buffer's length are concerned.
    fn is_direct(&self) -> bool {
        !self.blocked && self.queue.parked.is_empty() && self.buf.len() < HIGH_WATER
    }

    /// Whether nothing but the next write is missing for what comes now to go into the buffer.
    fn is_soon_direct(&self) -> bool {
        self.buf.len() >= HIGH_WATER && !self.blocked && self.queue.parked.is_empty() && self.gone.is_none()
    }
}

/// The next ticket.
fn next(tickets: &mut u64) -> u64 {
    *tickets += 1;
    *tickets
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

/// The out-buffer is not filled beyond this; what comes later is parked.
pub(crate) const HIGH_WATER: usize = 64 * 1024;
/// New work is not started while this much waits to be written.
const HOLD_ABOVE: usize = 1024 * 1024;
/// Bytes of an empty out-buffer that stay with the connection: room for what is sent to many at once, when there are not
/// buffers enough for all of them.
const KEPT: usize = 128;
/// Of a buffer that holds less, only what it holds counts.
const COUNTED_WHOLE: usize = 4 * 1024;
