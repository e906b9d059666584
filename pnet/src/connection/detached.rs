//! A connection that nobody is at the other end of: what a handler has that an operator runs without a peer.

use std::{sync::Arc, time::Duration};

use pnet_protocol::{
    id::ConnectionId,
    limits::Limits,
    protocol::{ProtocolInfo, Role},
    wire::Writer,
};

use super::Conn;
use crate::{
    counts::{Counts, Trace},
    transport::PeerAddr,
    unwind::NeedsPeer,
};

impl Conn {
    /// A server's connection without another side. It is in no list.
    pub(crate) fn detached(info: &'static ProtocolInfo, call_timeout: Option<Duration>) -> Arc<Self> {
        let limits = Limits::default();
        let who = (PeerAddr::Other("an operator".to_owned()), None);
        let writer = (Writer::native(&limits), &limits);
        // Nothing of it is among the server's sums.
        let trace = Trace::new(&Counts::default(), false);
        let mut conn = Self::new(ConnectionId::random(), who, (Role::Server, info), writer, call_timeout, None, trace);
        if let Some(conn) = Arc::get_mut(&mut conn) {
            conn.detached = true;
        }
        conn
    }

    pub(crate) const fn is_detached(&self) -> bool {
        self.detached
    }

    /// Something is asked for that only a peer has: ends a handler that has none.
    #[inline]
    pub(crate) fn needs_peer(&self) {
        if self.detached {
            std::panic::resume_unwind(Box::new(NeedsPeer));
        }
    }
}
