//! What cannot go into the out-buffer yet: frames without credit, without a call's place or without room, in order, and the
//! senders that wait for a place among them.

use std::{collections::VecDeque, fmt, time::Instant};

use super::Waiters;
use crate::secret::Hidden;

/// What waits to go into the out-buffer, each a frame `F`, and who waits for room: a `W` that is kept and handed back, never
/// called.
#[derive(Debug)]
pub struct Queue<F: AsRef<[u8]>, W> {
    parked: VecDeque<Parked<F>>,
    bytes: usize,
    /// Of these, what no other connection shares.
    own: usize,
    room: Waiters<W>,
    refused_since: Option<Instant>,
}

/// A frame that waits.
#[expect(clippy::exhaustive_structs, reason = "this is what the queue has to know")]
pub struct Parked<F> {
    /// Its bytes.
    pub frame: F,
    /// Whether other connections have the same frame; then it is not counted here.
    pub shared: bool,
    /// The number of its action.
    pub action: u16,
    /// The call's id; `None` for a one-way packet.
    pub call: Option<u32>,
}

/// The out-buffer, before which the queue waits.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is what the queue has to know")]
pub struct Ahead {
    /// What is in it.
    pub bytes: usize,
    /// The transport refuses the batch before it: what comes now waits.
    pub blocked: bool,
}

impl Ahead {
    /// Whether more may go into it.
    #[inline]
    pub const fn has_room(self) -> bool {
        !self.blocked && self.bytes < HIGH_WATER
    }
}

impl<F: AsRef<[u8]>, W> Queue<F, W> {
    /// Nothing waits.
    pub const fn new() -> Self {
        Self { parked: VecDeque::new(), bytes: 0, own: 0, room: Waiters::new(), refused_since: None }
    }

    /// Whether no frame waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// How many frames wait.
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    /// What the frames hold.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What they hold that no other connection shares, and their places.
    pub fn own(&self) -> usize {
        self.own + self.parked.len() * size_of::<Parked<F>>()
    }

    /// Whether a frame of this length may wait. An empty queue takes any frame, so one that is longer than the whole queue
    /// can still be sent.
    pub fn has_room(&self, ahead: Ahead, len: usize) -> bool {
        self.parked.is_empty() || !self.is_long() && ahead.bytes + self.bytes + len <= QUEUE_BYTES
    }

    /// Whether as many frames wait as may.
    pub fn is_long(&self) -> bool {
        self.parked.len() >= QUEUE_PACKETS
    }

    /// Whether nothing but the next write is missing for what comes now to go into the buffer.
    pub fn is_next(&self, ahead: Ahead) -> bool {
        ahead.bytes >= HIGH_WATER && !ahead.blocked && self.parked.is_empty()
    }

    /// A frame waits from now on.
    pub fn park(&mut self, parked: Parked<F>) {
        self.bytes += parked.len();
        self.own += parked.own();
        self.parked.push_back(parked);
    }

    /// The frame that waits for longest.
    pub fn front(&self) -> Option<&Parked<F>> {
        self.parked.front()
    }

    /// Takes the frame that waits for longest.
    pub fn take_front(&mut self) -> Option<Parked<F>> {
        self.take(0)
    }

    /// Takes a call that was given up.
    pub fn take_call(&mut self, id: u32) -> Option<Parked<F>> {
        self.parked.iter().position(|parked| parked.call == Some(id)).and_then(|index| self.take(index))
    }

    /// Calls cannot be answered any more: only packets are left.
    pub fn drop_calls(&mut self) {
        self.parked.retain(|parked| parked.call.is_none());
        self.bytes = self.parked.iter().map(Parked::len).sum();
        self.own = self.parked.iter().map(Parked::own).sum();
    }

    /// Those who wait for room.
    pub const fn room(&mut self) -> &mut Waiters<W> {
        &mut self.room
    }

    /// Whether somebody waits for room.
    pub const fn awaits_room(&self) -> bool {
        !self.room.is_empty()
    }

    /// A packet was refused for want of room, and nobody waits for it. `true` if it is the first one since the queue was
    /// short: from then on it is watched whether the queue becomes shorter.
    pub fn refuse(&mut self, now: Instant) -> bool {
        self.refused_since.replace(self.refused_since.unwrap_or(now)).is_none()
    }

    /// Since when the queue has been half full or more, and packets were refused.
    pub const fn refused_since(&self) -> Option<Instant> {
        self.refused_since
    }

    /// Sees whether the queue has become shorter, with so many bytes ahead of it.
    pub fn watch(&mut self, ahead: usize) {
        let (packets, bytes) = (self.parked.len(), ahead + self.bytes);
        if packets == 0 || packets < QUEUE_PACKETS / 2 && bytes < QUEUE_BYTES / 2 {
            self.refused_since = None;
        }
    }

    fn take(&mut self, index: usize) -> Option<Parked<F>> {
        let parked = self.parked.remove(index)?;
        self.bytes -= parked.len();
        self.own -= parked.own();
        if self.parked.is_empty() && self.parked.capacity() > KEPT_PLACES {
            self.parked = VecDeque::new();
        }
        Some(parked)
    }
}

impl<F: AsRef<[u8]>, W> Default for Queue<F, W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: AsRef<[u8]>> Parked<F> {
    fn len(&self) -> usize {
        self.frame.as_ref().len()
    }

    /// What no other connection shares.
    fn own(&self) -> usize {
        if self.shared { 0 } else { self.len() }
    }
}

/// Without the frame.
impl<F: AsRef<[u8]>> fmt::Debug for Parked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked")
            .field("frame", &Hidden::of(self.frame.as_ref()))
            .field("shared", &self.shared)
            .field("action", &self.action)
            .field("call", &self.call)
            .finish()
    }
}

/// The out-buffer is not filled beyond this; what comes later waits.
pub const HIGH_WATER: usize = 64 * 1024;
/// Bounds of what waits for one connection: bytes in all, and packets.
pub const QUEUE_BYTES: usize = 1024 * 1024;
/// See [`QUEUE_BYTES`].
pub const QUEUE_PACKETS: usize = 1024;
/// Places for waiting packets that are kept when they are empty.
const KEPT_PLACES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const AHEAD: Ahead = Ahead { bytes: HIGH_WATER, blocked: false };

    fn packet(len: usize) -> Parked<Vec<u8>> {
        Parked { frame: vec![7; len], shared: false, action: 1, call: None }
    }

    #[test]
    fn an_empty_queue_takes_any_frame_and_then_no_more_than_its_bounds() {
        let mut queue = Queue::<_, ()>::new();
        assert!(queue.has_room(AHEAD, 2 * QUEUE_BYTES));
        queue.park(packet(2 * QUEUE_BYTES));
        assert!(!queue.has_room(AHEAD, 1) && !queue.is_long());
        queue.take_front();
        queue.park(packet(10));
        let left = QUEUE_BYTES - HIGH_WATER - 10;
        assert!(queue.has_room(AHEAD, left) && !queue.has_room(AHEAD, left + 1));
        (1..QUEUE_PACKETS).for_each(|_| queue.park(packet(1)));
        assert!(queue.is_long() && !queue.has_room(AHEAD, 1));
    }

    #[test]
    fn what_was_refused_is_forgotten_once_the_queue_is_half_empty() {
        let (mut queue, now) = (Queue::<_, ()>::new(), Instant::now());
        (0..QUEUE_PACKETS).for_each(|_| queue.park(packet(1)));
        assert!(queue.refuse(now) && !queue.refuse(now + std::time::Duration::from_secs(1)));
        queue.watch(HIGH_WATER);
        assert_eq!(queue.refused_since(), Some(now));
        (0..=QUEUE_PACKETS / 2).for_each(|_| assert!(queue.take_front().is_some()));
        queue.watch(HIGH_WATER);
        assert_eq!(queue.refused_since(), None);
    }

    #[test]
    fn what_others_share_is_not_counted_twice() {
        let mut queue = Queue::<_, ()>::new();
        queue.park(Parked { shared: true, ..packet(100) });
        queue.park(Parked { call: Some(9), ..packet(10) });
        queue.park(packet(1));
        let places = size_of::<Parked<Vec<u8>>>();
        assert_eq!((queue.bytes(), queue.own()), (111, 11 + 3 * places));
        assert_eq!(queue.take_call(9).map(|parked| parked.frame.len()), Some(10));
        assert_eq!((queue.bytes(), queue.own()), (101, 1 + 2 * places));
        queue.park(Parked { call: Some(9), ..packet(10) });
        queue.drop_calls();
        assert_eq!((queue.bytes(), queue.own(), queue.len()), (101, 1 + 2 * places, 2));
    }
}
