//! How much may be on its way without having been handled: one-way packets of a connection, items of a stream.
//!
//! [`Credit`] is the sender's view, [`Window`] the receiver's. A frame may go while at least one frame and one byte are
//! left; its bytes may then overrun the byte credit, so that a single frame above the window is not stuck for ever
//! (`docs/wire.md` §8.1).

use super::Violation;

/// What may still be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credit {
    frames: u32,
    bytes: i64,
}

impl Credit {
    /// The first credit.
    pub const fn new(frames: u32, bytes: u32) -> Self {
        Self { frames, bytes: bytes as i64 }
    }

    /// Whether one more may go, however long it is.
    pub const fn is_left(&self) -> bool {
        self.frames >= 1 && self.bytes > 0
    }

    /// Spends one frame of `len` bytes. `false`: there is no credit left, and nothing was spent.
    pub fn spend(&mut self, len: u32) -> bool {
        if !self.is_left() {
            return false;
        }
        self.frames -= 1;
        self.bytes -= i64::from(len);
        true
    }

    /// Takes what the other side gave.
    ///
    /// # Errors
    ///
    /// [`Violation::CreditOverflow`] if a sum is above 2³¹.
    pub fn add(&mut self, frames: u32, bytes: u32) -> Result<(), Violation> {
        let frames = self.frames.checked_add(frames).filter(|sum| i64::from(*sum) <= MAX_CREDIT);
        let bytes = Some(self.bytes + i64::from(bytes)).filter(|sum| *sum <= MAX_CREDIT);
        let (Some(frames), Some(bytes)) = (frames, bytes) else {
            return Err(Violation::CreditOverflow);
        };
        *self = Self { frames, bytes };
        Ok(())
    }
}

/// What may still come, and what is to be given back for what was handled.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    frames: u32,
    bytes: u32,
    left: Credit,
    due_frames: u32,
    due_bytes: u32,
}

impl Window {
    /// A window of so many frames and bytes.
    pub const fn new(frames: u32, bytes: u32) -> Self {
        Self { frames, bytes, left: Credit::new(frames, bytes), due_frames: 0, due_bytes: 0 }
    }

    /// One frame of `len` bytes has come. `false`: beyond the credit, and not counted.
    pub fn arrived(&mut self, len: u32) -> bool {
        self.left.spend(len)
    }

    /// A frame of `len` bytes is handled. The credit to be given, frames and bytes, when half of either is due.
    pub fn finished(&mut self, len: u32) -> Option<(u32, u32)> {
        self.due_frames = self.due_frames.saturating_add(1);
        self.due_bytes = self.due_bytes.saturating_add(len);
        if self.due_frames < self.frames.div_ceil(2) && self.due_bytes < self.bytes.div_ceil(2) {
            return None;
        }
        let due = (std::mem::take(&mut self.due_frames), std::mem::take(&mut self.due_bytes));
        self.left.frames = self.left.frames.saturating_add(due.0);
        self.left.bytes += i64::from(due.1);
        Some(due)
    }

    /// The other side turns out to count on less than this window: from now on credit is due earlier.
    pub fn narrow(&mut self, frames: u32, bytes: u32) {
        self.frames = self.frames.min(frames);
        self.bytes = self.bytes.min(bytes);
    }

    /// How many frames have come and are not handled.
    pub const fn open(&self) -> u32 {
        self.frames.saturating_sub(self.left.frames.saturating_add(self.due_frames))
    }

    /// Whether frames may come, and bytes.
    pub const fn is_left(&self) -> (bool, bool) {
        (self.left.frames >= 1, self.left.bytes > 0)
    }

    /// Its size: frames and bytes.
    pub const fn size(&self) -> (u32, u32) {
        (self.frames, self.bytes)
    }
}

const MAX_CREDIT: i64 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frame_may_overrun_the_bytes() {
        let mut credit = Credit::new(9, 10);
        assert!(credit.spend(103));
        assert!(!credit.is_left());
        credit.add(1, 93).unwrap();
        assert!(!credit.spend(1), "0 bytes are left");
        credit.add(0, 1).unwrap();
        assert!(credit.spend(1));
    }

    #[test]
    fn credit_cannot_overflow() {
        let mut credit = Credit::new(1, 1);
        assert_eq!(credit.add(u32::MAX, 0), Err(Violation::CreditOverflow));
        assert_eq!(credit.add(0, u32::MAX), Err(Violation::CreditOverflow));
        assert_eq!(credit.add((1 << 31) - 1, (1 << 31) - 1), Ok(()));
        assert_eq!(credit.add(1, 0), Err(Violation::CreditOverflow));
    }

    #[test]
    fn half_of_a_window_is_given_back() {
        let mut window = Window::new(4, 100);
        for _ in 0..4 {
            assert!(window.arrived(10));
        }
        assert!(!window.arrived(10));
        assert_eq!((window.finished(10), window.finished(10)), (None, Some((2, 20))));
        assert_eq!(window.open(), 2);
        assert_eq!(window.finished(50), Some((1, 50)), "half of the bytes");
    }
}
