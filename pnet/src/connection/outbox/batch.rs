//! What gathers in the out-buffer, and goes with the next write.

use std::{
    task::Waker,
    time::{SystemTime, UNIX_EPOCH},
};

use pnet_protocol::connection::Ahead;

use super::Outbox;
use crate::{buffers, counts::Which};

impl Outbox {
    /// Puts the answers that the driver has gathered where they belong: before what has come since it looked last. Nothing
    /// follows a close frame.
    pub(crate) fn insert_answers(&mut self, frames: &[u8]) {
        if self.gone.is_none() && !frames.is_empty() {
            open(&mut self.buf);
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

    /// The driver runs: it will flush, nobody needs to wake it. `true` if its waker is the same as the last time.
    pub(crate) fn driver_runs(&mut self, waker: &Waker) -> bool {
        self.busy = true;
        let same = self.driver.as_ref().is_some_and(|driver| driver.will_wake(waker));
        if !same {
            self.driver = Some(waker.clone());
        }
        same
    }

    /// The driver is about to sleep without taking the buffer: from now on it wants to be woken. `true`: there is
    /// a packet, a call or a ping to be written.
    pub(crate) fn rest(&mut self) -> bool {
        self.busy = false;
        self.timed || self.is_ping_due()
    }

    /// Whether so much waits to be written that no new work should be started.
    pub(crate) const fn is_overfull(&self) -> bool {
        self.buf.len() >= HOLD_ABOVE
    }

    /// Accepts a packet into the buffer. The caller has checked credit and length.
    pub(super) fn write_packet(&mut self, action: u16, frame: &[u8]) {
        self.begin_batch();
        self.sent.packets += 1;
        self.sends.packet(Which::new(action));
        let written = self.writer.packet(frame, &mut self.buf);
        debug_assert!(written.is_ok(), "credit and length were checked: {written:?}");
    }

    /// The first packet or call of a batch is preceded by the time.
    pub(super) fn begin_batch(&mut self) {
        if !self.timed {
            self.timed = true;
            open(&mut self.buf);
            self.writer.begin_batch(micros_now(), &mut self.buf);
        }
    }

    /// Anything else may need the time, too.
    pub(super) fn date(&mut self) {
        open(&mut self.buf);
        if self.writer.needs_time() {
            self.writer.begin_batch(micros_now(), &mut self.buf);
        }
    }

    /// Whether what comes now may go into the buffer, as far as its order and the buffer's length are concerned.
    #[inline]
    pub(super) fn is_direct(&self) -> bool {
        self.queue.is_empty() && self.ahead().has_room()
    }

    /// Whether nothing but the next write is missing for what comes now to go into the buffer.
    pub(super) fn is_next(&self) -> bool {
        self.gone.is_none() && self.queue.is_next(self.ahead())
    }

    #[inline]
    pub(super) const fn ahead(&self) -> Ahead {
        Ahead { bytes: self.buf.len(), blocked: self.blocked }
    }
}

/// Something is about to be written.
#[inline]
pub(super) fn open(buf: &mut Vec<u8>) {
    if buf.capacity() == 0 {
        *buf = buffers::take_large();
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
