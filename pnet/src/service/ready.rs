//! Which of a connection's waiting handlers have been woken: a bit each, and a waker that sets it.
//!
//! Polling exactly the woken handlers costs no allocation once the wakers exist, and a handler can be taken out at any
//! time, which is what cancelling needs. There are as many bits as handlers have waited at once, whatever the limits allow.

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
    driver: Waker,
    groups: Vec<Arc<Group>>,
    wakers: Vec<Waker>,
}

/// Places that follow each other.
#[derive(Debug)]
struct Group {
    /// A bit for each that was woken.
    woken: AtomicU64,
    driver: Mutex<Waker>,
}

/// Wakes one place.
#[derive(Debug)]
struct Place {
    group: Arc<Group>,
    bit: u64,
}

impl Ready {
    /// For the driver that has this waker.
    pub(crate) fn new(driver: &Waker) -> Self {
        Self { driver: driver.clone(), groups: Vec::new(), wakers: Vec::new() }
    }

    /// The driver's waker, to be kept up to date before the places are asked for.
    pub(crate) fn set_driver(&mut self, waker: &Waker) {
        if !self.driver.will_wake(waker) {
            self.driver.clone_from(waker);
            for group in &self.groups {
                group.driver.lock().unwrap_or_else(PoisonError::into_inner).clone_from(waker);
            }
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
            let number = self.wakers.len();
            let group = match self.groups.get(number / PLACES) {
                Some(group) => Arc::clone(group),
                None => self.add_group(),
            };
            self.wakers.push(Waker::from(Arc::new(Place { group, bit: 1 << (number % PLACES) })));
        }
    }

    fn add_group(&mut self) -> Arc<Group> {
        let group = Arc::new(Group { woken: AtomicU64::new(0), driver: Mutex::new(self.driver.clone()) });
        // Most connections need no other.
        self.groups.reserve_exact(1);
        self.groups.push(Arc::clone(&group));
        group
    }

    /// Takes the woken places, in ascending order, into `indexes`.
    pub(crate) fn take(&self, indexes: &mut Vec<usize>) {
        for (number, group) in self.groups.iter().enumerate() {
            let mut bits = group.woken.swap(0, Ordering::Acquire);
            while bits != 0 {
                indexes.push(number * PLACES + bits.trailing_zeros() as usize);
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
        self.group.woken.fetch_or(self.bit, Ordering::Release);
        let driver = self.group.driver.lock().unwrap_or_else(PoisonError::into_inner).clone();
        driver.wake();
    }
}

/// Places of a group.
const PLACES: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn a_woken_place_is_taken_once() {
        let mut ready = Ready::new(Waker::noop());
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

    #[test]
    fn all_places_wake_the_driver_that_runs_now() {
        struct Count(AtomicUsize);

        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }

        let drivers = [0, 1].map(|_| Arc::new(Count(AtomicUsize::new(0))));
        let [first, second] = drivers.clone().map(Waker::from);
        let mut ready = Ready::new(&first);
        ready.waker(70).wake_by_ref();
        ready.set_driver(&second);
        for index in [0, 70, 200] {
            ready.waker(index).wake_by_ref();
        }
        assert_eq!(drivers.map(|driver| driver.0.load(Ordering::Relaxed)), [1, 3]);
    }
}
