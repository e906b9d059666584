//! State that most connections never have: a place for it is taken when it is written to for the first time.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

/// A `T` that is [empty](Empty::EMPTY) until it is written to.
///
/// Reading costs a look at one pointer. Whatever borrows it mutably takes the place: ask [`is_taken`](Self::is_taken) before
/// something is reset that may never have been set.
pub(crate) struct Seldom<T>(Option<Box<T>>);

/// What there is before anything was written.
pub(crate) trait Empty: Sized + 'static {
    const EMPTY: Self;
    /// The same, for whoever reads where nothing was written.
    const READ: &'static Self;
}

impl<T: Empty> Seldom<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether anything was written.
    #[inline]
    pub(crate) const fn is_taken(&self) -> bool {
        self.0.is_some()
    }

    /// What there is if anything was written.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Gives the place back if nothing is lost by that.
    pub(crate) fn tidy(&mut self, is_empty: impl FnOnce(&T) -> bool) {
        if self.0.as_ref().is_some_and(|value| is_empty(value)) {
            self.0 = None;
        }
    }
}

impl<T: Empty> Deref for Seldom<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::READ,
        }
    }
}

impl<T: Empty> DerefMut for Seldom<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::EMPTY))
    }
}

impl<T: fmt::Debug> fmt::Debug for Seldom<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::{Deref, DerefMut};

    use super::{Empty, Seldom};

    struct Notes(Vec<u8>);

    impl Empty for Notes {
        const EMPTY: Self = Self(Vec::new());
        const READ: &'static Self = &Self::EMPTY;
    }

    #[test]
    fn a_place_is_taken_by_writing_and_not_by_reading() {
        let mut notes = Seldom::<Notes>::new();
        assert!(notes.deref().0.is_empty() && !notes.is_taken());
        notes.deref_mut().0.push(7);
        assert!(notes.is_taken());
        notes.tidy(|notes| notes.0.is_empty());
        assert_eq!(notes.deref().0, [7], "what is there stays");
        notes.deref_mut().0.clear();
        notes.tidy(|notes| notes.0.is_empty());
        assert!(!notes.is_taken());
    }
}
