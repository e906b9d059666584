//! Who waits for which answer: a slab whose ids are never taken for their successors.

use std::fmt;

/// The open calls of this side, each with a `T`.
///
/// An id is a slot's index (low 12 bits) and how often the slot was used (high 20 bits), so an answer that comes after
/// its call was given up finds nothing, instead of the slot's next user. Slots are kept for reuse: once warm, nothing
/// is allocated.
///
/// ```
/// use pnet_protocol::connection::Calls;
///
/// let mut calls = Calls::new();
/// let id = calls.insert("waiting").unwrap();
/// assert_eq!(calls.remove(id), Some("waiting"));
/// assert_eq!(calls.remove(id), None);
/// ```
#[derive(Clone)]
pub struct Calls<T> {
    slots: Vec<Slot<T>>,
    /// The first of a chain of empty slots.
    free: Option<u16>,
    len: usize,
}

impl<T> Calls<T> {
    /// No calls, and no memory either.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: None, len: 0 }
    }

    /// Opens a call; its id is never 0. `None`, and `value` is dropped, if [`MAX_CALLS`] are open.
    #[inline]
    pub fn insert(&mut self, value: T) -> Option<u32> {
        self.open(value).map(|(id, _)| id)
    }

    /// As [`insert`](Self::insert), with the value in its place: what is large is better filled in there than moved.
    #[inline]
    pub fn open(&mut self, value: T) -> Option<(u32, &mut T)> {
        let index = match self.free {
            Some(index) => index,
            None => {
                let index = u16::try_from(self.slots.len()).ok().filter(|index| usize::from(*index) < MAX_CALLS)?;
                self.slots.push(Slot { generation: 0, state: State::Empty { next: None } });
                index
            }
        };
        let slot = self.slots.get_mut(usize::from(index))?;
        if let State::Empty { next } = slot.state {
            self.free = next;
        }
        // 0 is left out, so that no id is 0.
        slot.generation = slot.generation % MAX_GENERATION + 1;
        slot.state = State::Open(value);
        self.len += 1;
        match &mut slot.state {
            State::Open(value) => Some((slot.generation << INDEX_BITS | u32::from(index), value)),
            State::Empty { .. } => None,
        }
    }

    /// Ends a call and gives its value; `None` if the id is not that of an open call.
    #[inline]
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let index = index_of(id)?;
        let slot = self.slots.get_mut(usize::from(index))?;
        if slot.generation != id >> INDEX_BITS || matches!(slot.state, State::Empty { .. }) {
            return None;
        }
        let state = std::mem::replace(&mut slot.state, State::Empty { next: self.free });
        self.free = Some(index);
        self.len -= 1;
        match state {
            State::Open(value) => Some(value),
            State::Empty { .. } => None,
        }
    }

    /// Ends a call and drops its value. Ids that are not those of open calls are ignored.
    #[inline]
    pub fn close(&mut self, id: u32) {
        let Some(index) = index_of(id) else { return };
        if let Some(slot) = self.slots.get_mut(usize::from(index))
            && slot.generation == id >> INDEX_BITS
            && matches!(slot.state, State::Open(_))
        {
            slot.state = State::Empty { next: self.free };
            self.free = Some(index);
            self.len -= 1;
        }
    }

    /// The value of an open call.
    #[inline]
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let slot = self.slots.get_mut(usize::from(index_of(id)?))?;
        match &mut slot.state {
            State::Open(value) if slot.generation == id >> INDEX_BITS => Some(value),
            _ => None,
        }
    }

    /// The value of an open call.
    pub fn get(&self, id: u32) -> Option<&T> {
        match self.slots.get(usize::from(index_of(id)?))? {
            Slot { state: State::Open(value), generation } if *generation == id >> INDEX_BITS => Some(value),
            _ => None,
        }
    }

    /// All open calls.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| match &slot.state {
            State::Open(value) => Some(value),
            State::Empty { .. } => None,
        })
    }

    /// All open calls with their ids.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        (0..).zip(&mut self.slots).filter_map(|(index, slot)| match &mut slot.state {
            State::Open(value) => Some((slot.generation << INDEX_BITS | index, value)),
            State::Empty { .. } => None,
        })
    }

    /// Ends all calls and gives their values. Ids given out before stay unknown afterwards.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        let slots = std::mem::take(&mut self.slots);
        self.slots.reserve(slots.len());
        self.free = None;
        self.len = 0;
        let mut values = Vec::new();
        for (index, slot) in (0..).zip(slots) {
            if let State::Open(value) = slot.state {
                values.push(value);
            }
            self.slots.push(Slot { generation: slot.generation, state: State::Empty { next: self.free } });
            self.free = Some(index);
        }
        values.into_iter()
    }

    /// The place of a call's slot, below [`MAX_CALLS`]: for what is kept beside the slots and used again like them. No two
    /// calls that are open have the same.
    pub const fn place_of(id: u32) -> usize {
        (id & INDEX_MASK) as usize
    }

    /// How many calls are open.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no call is open.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// How many are open; the values may be anything.
impl<T> fmt::Debug for Calls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("len", &self.len).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Slot<T> {
    generation: u32,
    state: State<T>,
}

#[derive(Clone)]
enum State<T> {
    Empty { next: Option<u16> },
    Open(T),
}

fn index_of(id: u32) -> Option<u16> {
    u16::try_from(id & INDEX_MASK).ok()
}

/// Most calls that can be open at once.
pub const MAX_CALLS: usize = 1 << INDEX_BITS;

const INDEX_BITS: u32 = 12;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const MAX_GENERATION: u32 = (1 << (32 - INDEX_BITS)) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_generation_finds_nothing() {
        let mut calls = Calls::new();
        let first = calls.insert(1).unwrap();
        assert_eq!(calls.remove(first), Some(1));
        let second = calls.insert(2).unwrap();
        assert_eq!(first & INDEX_MASK, second & INDEX_MASK, "the slot is reused");
        assert_eq!(calls.get_mut(first), None);
        assert_eq!(calls.remove(first), None);
        assert_eq!(calls.get_mut(second), Some(&mut 2));
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn unknown_ids_find_nothing() {
        let mut calls = Calls::new();
        calls.insert(1).unwrap();
        for id in [0, 1, u32::MAX, 1 << INDEX_BITS | 1, 2 << INDEX_BITS] {
            assert_eq!(calls.remove(id), None);
        }
    }

    #[test]
    fn generations_wrap_past_zero() {
        let mut calls = Calls::new();
        for _ in 0..MAX_GENERATION {
            let id = calls.insert(()).unwrap();
            assert_ne!(id, 0);
            calls.remove(id);
        }
        assert_eq!(calls.insert(()), Some(1 << INDEX_BITS));
    }

    #[test]
    fn holds_as_many_as_promised() {
        let mut calls = Calls::new();
        let ids: Vec<u32> = (0..MAX_CALLS).map(|n| calls.insert(n).unwrap()).collect();
        assert_eq!(calls.insert(0), None);
        assert_eq!(calls.iter_mut().map(|(id, _)| id).collect::<Vec<_>>(), ids);
        calls.remove(ids[77]).unwrap();
        assert!(calls.insert(0).is_some());
        assert_eq!(calls.drain().count(), MAX_CALLS);
        assert!(calls.is_empty());
        assert_eq!(calls.get_mut(ids[0]), None);
        let again: Vec<u32> = (0..MAX_CALLS).map(|n| calls.insert(n).unwrap()).collect();
        assert!(again.iter().all(|id| !ids.contains(id)));
        assert_eq!(calls.insert(0), None);
    }
}
