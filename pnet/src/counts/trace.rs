//! What is known of one connection beside its traffic.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pnet_protocol::connection::InFlight;

use super::{Counts, Met, Traffic};
use crate::error::Closed;

/// See the module.
#[derive(Debug)]
pub(crate) struct Trace {
    counts: Counts,
    /// Who is there, as the program says.
    person: Option<Box<str>>,
    encrypted: bool,
    /// Whether its traffic is among that of the ended ones. It is looked at under the board's lock.
    folded: AtomicBool,
}

impl Trace {
    pub(crate) fn new(counts: &Counts, encrypted: bool) -> Self {
        Self { counts: counts.clone(), person: None, encrypted, folded: AtomicBool::new(false) }
    }

    pub(crate) fn with_person(self, person: Option<String>) -> Self {
        Self { person: person.map(String::into_boxed_str), ..self }
    }

    #[inline]
    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) fn met(&self, limit: Met) {
        self.counts.met(limit);
    }

    pub(crate) const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(crate) fn person(&self) -> Option<&str> {
        self.person.as_deref()
    }

    /// These limits are met now, and were not before.
    #[cold]
    pub(super) fn reach(&self, full: u8) {
        let limits = [
            (InFlight::CALLS, Met::Calls),
            (InFlight::STREAMS, Met::Streams),
            (InFlight::PACKETS, Met::Packets),
            (InFlight::PACKET_BYTES, Met::PacketBytes),
        ];
        limits.into_iter().filter(|(bit, _)| full & bit != 0).for_each(|(_, limit)| self.met(limit));
    }

    /// What has arrived was not handled as declared.
    pub(crate) fn failed(&self, action: u16) {
        if let Some(row) = self.counts.board().incoming(action) {
            row.failed();
        }
    }

    /// The connection was let in.
    pub(crate) fn joined(&self) {
        self.counts.join();
    }

    /// The connection has ended.
    pub(crate) fn closed(&self, closed: &Closed) {
        self.counts.refused(closed.code(), closed.by());
    }

    /// The connection has ended, and has carried this.
    pub(crate) fn fold(&self, traffic: impl FnOnce() -> Traffic) {
        self.counts.fold(|| (!self.folded.swap(true, Relaxed)).then(traffic));
    }

    /// Whether what it has carried is among the sums of the board.
    pub(crate) fn is_folded(&self) -> bool {
        self.folded.load(Relaxed)
    }
}
