//! What a connection has carried so far.
//!
//! What arrives, and every byte, is counted by the driver in [`Counters`], which everybody may read at any time. What
//! this side sends of its own accord is counted in [`Sent`], which lives in [`Outbox`](super::Outbox) under its lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the driver counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// One-way packets that arrived, whatever became of them.
    pub(crate) packets_received: Count,
    /// Calls that arrived, whatever became of them.
    pub(crate) calls_received: Count,
    pub(crate) bytes_received: Count,
    pub(crate) bytes_written: Count,
}

/// A number that one task adds to and anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds. With one task that does so, load and store lose nothing and cost less than an atomic addition.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What was put into the out-buffer, answers not included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) packets: u64,
    pub(crate) calls: u64,
}
