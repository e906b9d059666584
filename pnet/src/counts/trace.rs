//! What is known of one connection beside its traffic.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use pnet_protocol::connection::InFlight;
use tokio::time::Instant;

use super::{Counts, Load, Met, Traffic};
use crate::{connection::Conn, error::Closed, inspect::Flow};

/// See the module. Only the driver writes it.
#[derive(Debug)]
pub(crate) struct Trace {
    counts: Counts,
    /// Who is there, as the program says.
    person: Option<Box<str>>,
    /// When something came last, in milliseconds on the board's clock.
    heard: AtomicU64,
    unwritten: AtomicUsize,
    in_flight: AtomicU32,
    /// The limits that are met by what is in flight now.
    full: AtomicU8,
    encrypted: bool,
    /// Whether its traffic is among that of the ended ones. It is looked at under the board's lock.
    folded: AtomicBool,
}

impl Trace {
    pub(crate) fn new(counts: &Counts, encrypted: bool) -> Self {
        Self {
            counts: counts.clone(),
            person: None,
            heard: AtomicU64::new(counts.board().now()),
            unwritten: AtomicUsize::new(0),
            in_flight: AtomicU32::new(0),
            full: AtomicU8::new(0),
            encrypted,
            folded: AtomicBool::new(false),
        }
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

    /// Calls and one-way packets of the peer that are not finished.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed).into()
    }

    /// Bytes that the driver has taken and not written yet.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten.load(Relaxed)
    }

    /// For how many milliseconds nothing has come.
    pub(crate) fn idle(&self) -> u64 {
        self.counts.board().now().saturating_sub(self.heard.load(Relaxed))
    }

    /// Something has come.
    #[inline]
    pub(crate) fn hear(&self, now: impl FnOnce() -> Instant) {
        self.heard.store(self.counts.board().millis(now()), Relaxed);
    }

    /// The driver is about to rest.
    #[inline]
    pub(crate) fn rest(&self, load: impl FnOnce() -> Load) {
        let Load { in_flight, unwritten } = load();
        self.unwritten.store(unwritten, Relaxed);
        self.in_flight.store(in_flight.calls.saturating_add(in_flight.packets), Relaxed);
        let before = self.full.load(Relaxed);
        if in_flight.full != before {
            self.full.store(in_flight.full, Relaxed);
            self.reach(in_flight.full & !before);
        }
    }

    /// These limits are met now, and were not before.
    #[cold]
    fn reach(&self, met: u8) {
        let limits = [
            (InFlight::CALLS, Met::Calls),
            (InFlight::STREAMS, Met::Streams),
            (InFlight::PACKETS, Met::Packets),
            (InFlight::PACKET_BYTES, Met::PacketBytes),
        ];
        limits.into_iter().filter(|(bit, _)| met & bit != 0).for_each(|(_, limit)| self.met(limit));
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

    /// Its traffic is added to that of the ended ones.
    pub(crate) fn fold(&self, conn: &Conn) {
        self.counts.fold(|| {
            let traffic = Self::unfolded(conn);
            self.folded.store(true, Relaxed);
            traffic
        });
    }

    /// Its traffic, if it was not added yet; under the board's lock.
    pub(super) fn unfolded(conn: &Conn) -> Option<Traffic> {
        if conn.trace.folded.load(Relaxed) {
            return None;
        }
        let sent = conn.lock().told();
        let counters = &conn.counters;
        let received = Flow {
            packets: counters.packets_received.get(),
            calls: counters.calls_received.get(),
            bytes: counters.bytes_received.get(),
        };
        let sent = Flow { packets: sent.packets, calls: sent.calls, bytes: counters.bytes_written.get() };
        Some(Traffic { received, sent })
    }
}
