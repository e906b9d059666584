//! A connection's lock, and the wakers that are collected under it.

use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
    sync::MutexGuard,
    task::Waker,
};

use super::Outbox;

/// What stands under a connection's lock. Whoever is to be woken for what was done is woken when this is dropped, once the
/// lock is released: a waker may run anything.
#[derive(Debug)]
pub(crate) struct Locked<'a>(Option<MutexGuard<'a, Outbox>>);

impl<'a> Locked<'a> {
    #[inline]
    pub(crate) const fn new(out: MutexGuard<'a, Outbox>) -> Self {
        Self(Some(out))
    }

    /// Releases the lock. Who is to be woken is woken when the wakers are dropped.
    pub(crate) fn release(mut self) -> Wakers {
        self.wakers.take()
    }
}

impl Deref for Locked<'_> {
    type Target = Outbox;

    #[inline]
    fn deref(&self) -> &Outbox {
        self.0.as_deref().expect(HELD)
    }
}

impl DerefMut for Locked<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Outbox {
        self.0.as_deref_mut().expect(HELD)
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(out) = self.0.take()
            && out.wakers.first.is_some()
        {
            unlock_and_wake(out);
        }
    }
}

/// Apart, so that the lock is released on the spot where nobody is woken.
#[inline(never)]
fn unlock_and_wake(mut out: MutexGuard<'_, Outbox>) {
    let woken = out.wakers.take();
    drop(out);
    drop(woken);
}

/// Wakers: most often one at most, else in a list that the thread uses again. Dropped, they are woken.
#[derive(Debug)]
pub(crate) struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakers {
    pub(super) const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
            return;
        }
        if self.more.capacity() == 0 {
            // Taken, never borrowed, as whoever is woken may do the same.
            self.more = LIST.try_with(Cell::take).unwrap_or_default();
        }
        self.more.push(waker);
    }

    const fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new())
    }
}

impl Extend<Waker> for Wakers {
    #[inline]
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        wakers.into_iter().for_each(|waker| self.push(waker));
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        if let Some(first) = self.first.take() {
            first.wake();
        }
        if !self.more.is_empty() {
            let mut more = std::mem::take(&mut self.more);
            more.drain(..).for_each(Waker::wake);
            if more.capacity() <= KEPT {
                let _ = LIST.try_with(|kept| kept.set(more));
            }
        }
    }
}

const HELD: &str = "only its end takes the lock";
/// Places that the list keeps.
const KEPT: usize = 4096;

thread_local! {
    static LIST: Cell<Vec<Waker>> = const { Cell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        task::{Wake, Waker},
    };

    use super::Wakers;

    struct Noting(Mutex<Vec<u8>>);

    struct Of(Arc<Noting>, u8);

    impl Wake for Of {
        fn wake(self: Arc<Self>) {
            self.0.0.lock().unwrap().push(self.1);
            if self.1 == 1 {
                // Whoever is woken may wake others.
                let mut wakers = Wakers::new();
                wakers.push(Waker::from(Arc::new(Self(Arc::clone(&self.0), 7))));
            }
        }
    }

    #[test]
    fn all_are_woken_once_and_in_order() {
        let noting = Arc::new(Noting(Mutex::default()));
        let waker = |name| Waker::from(Arc::new(Of(Arc::clone(&noting), name)));
        let mut wakers = Wakers::new();
        wakers.extend([waker(1), waker(2)]);
        assert!(noting.0.lock().unwrap().is_empty());
        drop(wakers);
        assert_eq!(*noting.0.lock().unwrap(), [1, 7, 2]);
    }
}
