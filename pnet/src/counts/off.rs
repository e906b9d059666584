//! Nothing is counted: see the module above.

use pnet_protocol::{close::CloseCode, connection::InFlight, id::ConnectionId};
use tokio::time::Instant;

use super::Met;
use crate::error::{Closed, ClosedBy};

/// See `board`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(());

/// See `trace`.
#[derive(Debug)]
pub(crate) struct Trace;

/// See `tally`.
#[derive(Debug)]
pub(crate) struct Tally;

/// See `tally`.
#[derive(Debug)]
pub(crate) struct Sends;

/// See `tally`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch;

/// See `tally`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Which;

#[expect(clippy::unused_self, reason = "what counts has the same methods")]
impl Counts {
    #[inline(always)]
    pub(crate) const fn met(&self, _: Met) {}

    #[inline(always)]
    pub(crate) const fn met_times(&self, _: Met, _: usize) {}

    #[inline(always)]
    pub(crate) const fn refused(&self, _: CloseCode, _: ClosedBy) {}
}

#[expect(clippy::unused_self, reason = "what counts has the same methods")]
impl Trace {
    pub(crate) const fn new(_: &Counts, _: bool) -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) const fn counts(&self) -> &Counts {
        &Counts(())
    }

    #[inline(always)]
    pub(crate) const fn met(&self, _: Met) {}

    #[inline(always)]
    pub(crate) const fn failed(&self, _: u16) {}

    #[inline(always)]
    pub(crate) const fn joined(&self) {}

    #[inline(always)]
    pub(crate) const fn closed(&self, _: &Closed) {}
}

#[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "what counts has the same methods")]
impl Tally {
    pub(crate) const fn new(_: ConnectionId) -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) const fn count(&mut self, _: u16, _: &Trace) -> Stopwatch {
        Stopwatch
    }

    #[inline(always)]
    pub(crate) fn hear(&mut self, _: impl FnOnce() -> Instant) {}

    #[inline(always)]
    pub(crate) const fn flush(&mut self, _: &Trace) {}
}

#[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "what counts has the same methods")]
impl Sends {
    pub(crate) fn new(_: ConnectionId, _: Counts) -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) const fn met(&self, _: Met) {}

    #[inline(always)]
    pub(crate) const fn packet(&mut self, _: Which) {}

    #[inline(always)]
    pub(crate) const fn call(&mut self, _: Which) -> Stopwatch {
        Stopwatch
    }

    #[inline(always)]
    pub(crate) const fn replied(&self, _: Which, _: Stopwatch) {}

    #[inline(always)]
    pub(crate) const fn failed(&self, _: Which) {}

    #[inline(always)]
    pub(crate) const fn unsent(&self, _: Which) {}

    #[inline(always)]
    pub(crate) const fn flush(&mut self) {}

    #[inline(always)]
    pub(crate) fn rest(&mut self, _: &mut Tally, _: &Trace, _: impl FnOnce() -> (InFlight, usize)) {}
}

#[expect(clippy::unused_self, reason = "what counts has the same methods")]
impl Stopwatch {
    pub(crate) const NONE: Self = Self;

    #[inline(always)]
    pub(crate) const fn again(self, _: &Trace) -> Self {
        self
    }

    #[inline(always)]
    pub(crate) const fn stop(self, _: u16, _: &Trace) {}
}

impl Which {
    #[inline(always)]
    pub(crate) const fn new(_: u16) -> Self {
        Self
    }
}
