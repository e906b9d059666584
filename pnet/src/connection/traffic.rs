//! What connections have carried, for those who look in.

use std::sync::Arc;

use super::Conn;
use crate::counts::{Counts, Traffic, snapshot::Flow};

impl Conn {
    /// The connection has ended: what it has carried is among the sums from now on.
    pub(crate) fn fold(&self) {
        self.trace.fold(|| self.traffic());
    }

    fn traffic(&self) -> Traffic {
        let sent = self.lock().told();
        let counters = &self.counters;
        let received = Flow {
            packets: counters.packets_received.get(),
            calls: counters.calls_received.get(),
            bytes: counters.bytes_received.get(),
        };
        let sent = Flow { packets: sent.packets, calls: sent.calls, bytes: counters.bytes_written.get() };
        Traffic { received, sent }
    }
}

/// What went over all connections that `counts` counts, of which `live` have not ended.
pub(crate) fn traffic(counts: &Counts, live: &[Arc<Conn>]) -> Traffic {
    counts.traffic(|| {
        let unfolded = live.iter().filter(|conn| !conn.trace.is_folded());
        unfolded.map(|conn| conn.traffic()).fold(Traffic::default(), Traffic::plus)
    })
}
