//! What a server knows about one of its connections.

use std::time::{Duration, SystemTime};

use pnet_protocol::{dialect::Dialect, id::ConnectionId, key::Fingerprint};

use crate::{connection::Conn, transport::PeerAddr};

/// One connection of a server as it was when it was asked about: see [`Peer::info`](crate::Peer::info).
///
/// The numbers are counted while the connection works, without stopping it. Each of them is right; that all of them
/// belong to the very same moment is not promised.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// The connection's public id.
    pub id: ConnectionId,
    /// Who is there.
    pub addr: PeerAddr,
    /// The key that it has proved to hold: see [`Peer::key`](crate::Peer::key).
    pub key: Option<Fingerprint>,
    /// How packets look on it.
    pub dialect: Dialect,
    /// When the connection was opened.
    pub since: SystemTime,
    /// The last round trip that was measured: see [`Peer::rtt`](crate::Peer::rtt).
    pub rtt: Option<Duration>,
    /// Whether delivery to it is suspended: see [`Peer::suspend`](crate::Peer::suspend).
    pub suspended: bool,
    /// What has come from the client.
    pub received: Traffic,
    /// What has gone to the client.
    pub sent: Traffic,
}

/// What went over a connection in one direction.
///
/// Answers are no packets and no calls of their own: they count in bytes only.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets that have no answer. Received: those that arrived, refused and malformed ones included. Sent: those that
    /// are on their way, without what still waits for credit or for room.
    pub packets: u64,
    /// Calls, counted in the same way.
    pub calls: u64,
    /// Bytes read from the transport or taken by it, the handshake included.
    pub bytes: u64,
}

impl PeerInfo {
    pub(crate) fn of(conn: &Conn) -> Self {
        let (suspended, sent, rtt) = {
            let out = conn.out();
            (out.suspended, out.sent, out.pings.rtt())
        };
        let counters = &conn.counters;
        Self {
            id: conn.id,
            addr: conn.addr.clone(),
            key: conn.key.as_deref().copied(),
            dialect: conn.dialect,
            since: conn.since,
            rtt,
            suspended,
            received: Traffic {
                packets: counters.packets_received.get(),
                calls: counters.calls_received.get(),
                bytes: counters.bytes_received.get(),
            },
            sent: Traffic { packets: sent.packets, calls: sent.calls, bytes: counters.bytes_written.get() },
        }
    }
}
