//! The streams that this side produces.

use std::collections::BTreeMap;

use super::{Credit, ReplyTo, Violation, Waiters};

/// The open streams of this side's handlers. A `W` waits for credit or room, or for the end; it is kept and handed back,
/// never called.
#[derive(Debug)]
pub struct Producers<W> {
    /// By the number that the call has here.
    open: BTreeMap<u32, Producer<W>>,
    serial: u64,
    /// Whether one of them waits for room in the buffer.
    awaits_room: bool,
    draining: bool,
}

#[derive(Debug)]
struct Producer<W> {
    serial: u64,
    to: ReplyTo,
    /// `None`: the consumer takes what comes.
    credit: Option<Credit>,
    waiters: Waiters<W>,
}

/// A stream that this side produces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "two numbers name a stream")]
pub struct StreamId {
    /// The call that opened it, which the other side numbers.
    pub call: u32,
    /// Which of those with this number it is.
    pub serial: u64,
}

/// Why an item is not written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each is another answer to the producer")]
pub enum ItemRefused {
    /// No credit or no room: it may go later.
    Full,
    /// Nobody wants it any more.
    Ended,
}

/// Whether a stream should go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each is another answer to the producer")]
pub enum Wanted {
    /// It should.
    Yes,
    /// The consumer has left, or the handler has ended.
    Ended,
    /// The connection drains: streams should come to their end.
    Draining,
}

impl<W> Producers<W> {
    /// None is open.
    pub const fn new() -> Self {
        Self { open: BTreeMap::new(), serial: 0, awaits_room: false, draining: false }
    }

    /// The peer has opened a stream. `to` is where its items go, as far as the credit lasts; without one, all of them.
    pub fn open(&mut self, call: u32, to: ReplyTo, credit: Option<Credit>) -> StreamId {
        self.serial += 1;
        let serial = self.serial;
        self.open.insert(call, Producer { serial, to, credit, waiters: Waiters::new() });
        StreamId { call, serial }
    }

    /// The stream is at its end, or its consumer has left. `false`: the call opened none.
    pub fn close(&mut self, call: u32, woken: &mut impl Extend<W>) -> bool {
        let closed = self.open.remove(&call);
        closed.map(|mut producer| producer.waiters.wake(woken)).is_some()
    }

    /// Where the next item goes, and the credit that it spends: if any is left, and there is `room` in the buffer.
    ///
    /// # Errors
    ///
    /// [`ItemRefused`].
    pub fn place(&mut self, id: StreamId, room: bool) -> Result<(&ReplyTo, &mut Option<Credit>), ItemRefused> {
        let producer = self.get(id).ok_or(ItemRefused::Ended)?;
        if !room || producer.credit.is_some_and(|credit| !credit.is_left()) {
            return Err(ItemRefused::Full);
        }
        Ok((&producer.to, &mut producer.credit))
    }

    /// Whether the stream's items are still wanted.
    pub fn is_wanted(&self, id: StreamId) -> Wanted {
        match self.open.get(&id.call) {
            Some(producer) if producer.serial == id.serial && self.draining => Wanted::Draining,
            Some(producer) if producer.serial == id.serial => Wanted::Yes,
            _ => Wanted::Ended,
        }
    }

    /// `who` waits for credit, for `room` if there is none, and for the end.
    pub fn wait(&mut self, id: StreamId, room: bool, ticket: &mut Option<u64>, who: &W)
    where
        W: Clone,
    {
        if let Some(producer) = self.get(id) {
            producer.waiters.wait(ticket, who);
            self.awaits_room |= !room;
        }
    }

    /// Whoever has this ticket does not wait any more.
    pub fn leave(&mut self, id: StreamId, ticket: u64) {
        if let Some(producer) = self.get(id) {
            producer.waiters.leave(ticket);
        }
    }

    /// The consumer of a stream gives credit. It may have crossed the end.
    ///
    /// # Errors
    ///
    /// [`Violation::CreditOverflow`].
    pub fn credit(&mut self, call: u32, items: u32, bytes: u32, woken: &mut impl Extend<W>) -> Result<(), Violation> {
        if let Some(producer) = self.open.get_mut(&call)
            && let Some(credit) = &mut producer.credit
        {
            credit.add(items, bytes)?;
            producer.waiters.wake(woken);
        }
        Ok(())
    }

    /// The connection begins to drain: whoever waits is to be [woken](Self::wake) for it.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether the connection drains.
    pub const fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether a producer waits for room in the buffer.
    pub const fn awaits_room(&self) -> bool {
        self.awaits_room
    }

    /// Hands back all who wait: there is room in the buffer, or will never be.
    pub fn wake(&mut self, woken: &mut impl Extend<W>) {
        self.awaits_room = false;
        self.open.values_mut().for_each(|producer| producer.waiters.wake(woken));
    }

    fn get(&mut self, id: StreamId) -> Option<&mut Producer<W>> {
        self.open.get_mut(&id.call).filter(|known| known.serial == id.serial)
    }
}

impl<W> Default for Producers<W> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(producers: &mut Producers<&str>, id: StreamId, room: bool) -> Result<(), ItemRefused> {
        let (_, credit) = producers.place(id, room)?;
        assert!(credit.as_mut().is_none_or(|credit| credit.spend(10)));
        Ok(())
    }

    #[test]
    fn items_stop_without_credit_and_whoever_waits_is_handed_back_with_it() {
        let (mut producers, mut woken, mut ticket) = (Producers::new(), Vec::new(), None);
        let id = producers.open(7, ReplyTo::Native(7), Some(Credit::new(1, 100)));
        assert_eq!(send(&mut producers, id, true), Ok(()));
        assert_eq!(send(&mut producers, id, true), Err(ItemRefused::Full));
        producers.wait(id, true, &mut ticket, &"producer");
        assert!(!producers.awaits_room());
        producers.credit(7, 1, 10, &mut woken).unwrap();
        assert_eq!(std::mem::take(&mut woken), ["producer"]);
        assert_eq!(send(&mut producers, id, false), Err(ItemRefused::Full));
        producers.wait(id, false, &mut ticket, &"producer");
        assert!(producers.awaits_room());
        producers.leave(id, ticket.unwrap());
        producers.wake(&mut woken);
        assert!(woken.is_empty() && !producers.awaits_room());
        assert_eq!(producers.credit(7, u32::MAX, 0, &mut woken), Err(Violation::CreditOverflow));
        assert_eq!(producers.credit(8, u32::MAX, 0, &mut woken), Ok(()), "it may have crossed the end");
    }

    #[test]
    fn a_stream_is_not_taken_for_the_next_of_its_number() {
        let (mut producers, mut woken) = (Producers::new(), Vec::new());
        let first = producers.open(7, ReplyTo::Native(7), None);
        producers.wait(first, true, &mut None, &"first");
        assert!(producers.close(7, &mut woken) && !producers.close(7, &mut woken));
        assert_eq!(woken, ["first"]);
        let second = producers.open(7, ReplyTo::Native(7), None);
        assert_eq!((producers.is_wanted(first), producers.is_wanted(second)), (Wanted::Ended, Wanted::Yes));
        assert_eq!(send(&mut producers, first, true), Err(ItemRefused::Ended));
        producers.drain();
        assert_eq!((producers.is_wanted(first), producers.is_wanted(second)), (Wanted::Ended, Wanted::Draining));
    }
}
