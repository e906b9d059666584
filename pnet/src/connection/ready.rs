//! Which of a connection's waiting handlers have been woken: a bit each, and a waker that sets it.
//!
//! Polling exactly the woken handlers costs no allocation once the wakers exist, and a handler can be taken out at any
//! time, which is what cancelling needs.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
};

/// The woken places of one connection.
#[derive(Debug)]
pub(crate) struct Ready {
    shared: Arc<Shared>,
    wakers: Vec<Waker>,
}

#[derive(Debug)]
struct Shared {
    words: Box<[AtomicU64]>,
    driver: Mutex<Option<Waker>>,
}

/// Wakes one place.
#[derive(Debug)]
struct Place {
    shared: Arc<Shared>,
    index: usize,
}

impl Ready {
    /// For `places` handlers at most, and the driver that has this waker.
    pub(crate) fn new(places: usize, driver: &Waker) -> Self {
        let words = (0..places.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let driver = Mutex::new(Some(driver.clone()));
        Self { shared: Arc::new(Shared { words, driver }), wakers: Vec::new() }
    }

    /// The driver's waker, to be kept up to date before the places are asked for.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        let mut driver = self.shared.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if !driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    /// The waker of a place. Places are numbered from 0 without gaps.
    #[inline]
    pub(crate) fn waker(&mut self, index: usize) -> &Waker {
        if self.wakers.len() <= index {
            self.make_wakers(index);
        }
        &self.wakers[index]
    }

    #[cold]
    fn make_wakers(&mut self, last: usize) {
        while self.wakers.len() <= last {
            let place = Place { shared: Arc::clone(&self.shared), index: self.wakers.len() };
            self.wakers.push(Waker::from(Arc::new(place)));
        }
    }

    /// Takes the woken places, in ascending order, into `indexes`.
    pub(crate) fn take(&self, indexes: &mut Vec<usize>) {
        for (number, word) in self.shared.words.iter().enumerate() {
            let mut bits = word.swap(0, Ordering::Acquire);
            while bits != 0 {
                indexes.push(number * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(word) = self.shared.words.get(self.index / 64) else { return };
        word.fetch_or(1 << (self.index % 64), Ordering::Release);
        let driver = self.shared.driver.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_woken_place_is_taken_once() {
        let mut ready = Ready::new(130, Waker::noop());
        for index in [129, 3, 64, 3] {
            ready.waker(index).wake_by_ref();
        }
        let mut woken = Vec::new();
        ready.take(&mut woken);
        assert_eq!(woken, [3, 64, 129]);
        woken.clear();
        ready.take(&mut woken);
        assert!(woken.is_empty());
    }
}
