//! Defaults that are this crate's own; what goes over the wire is in [`Limits`](pnet_protocol::limits::Limits).

use std::{num::NonZero, time::Duration};

use pnet_protocol::{
    dialect::Dialect,
    limits::{Limits, UNCREDITED_PACKETS},
};
use tokio::time::Instant;

/// Where servers listen unless told otherwise: `127.0.0.1:25565`.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:25565";

/// How long accepted work may take once the end is near.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// Handshake and connect handler together.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Clients of a server that shuts down are told to come back no sooner.
pub(crate) const COME_BACK: Duration = Duration::from_secs(1);
/// A call without an own timeout.
pub(crate) const CALL: Duration = Duration::from_secs(30);
/// A write without progress.
pub(crate) const WRITE: Duration = Duration::from_secs(10);
/// Each side of a connection speaks at least this often.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Connections of a server.
pub(crate) const CONNECTIONS: usize = 10_000;
/// Bytes that a server holds for its connections.
pub(crate) const MEMORY: usize = 512 * 1024 * 1024;
/// Connections that have not sent a byte, and as many whose handshake is not done; beyond that the oldest has to go. As
/// long as even the oldest came less than this ago, there may be more.
pub(crate) const HALF_OPEN: usize = 256;
pub(crate) const HALF_OPEN_SPARED: Duration = Duration::from_millis(500);
pub(crate) const HALF_OPEN_CROWD: usize = 1024;
/// Both together, from one address that is not loopback.
pub(crate) const HALF_OPEN_PER_ADDRESS: usize = 32;
/// A server speaks first, where it may, to a client that has said nothing for so long.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);
/// So long a JSON client listens whether the server speaks first.
pub(crate) const LISTEN: Duration = Duration::from_millis(200);
/// So long it waits for the answer to its own handshake, before it takes the server for one that has none.
pub(crate) const NO_HANDSHAKE: Duration = Duration::from_secs(2);

/// Runs of a handler that authenticates, of one server: twice as many as there are cores, so that those who hash passwords use
/// all of them and leave each connection's task its turn.
pub(crate) fn authenticating() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_mul(2).max(MIN_AUTHENTICATING)
}

/// A heartbeat in milliseconds: none, or from 1 s to 1 h.
pub(crate) fn heartbeat_ms(every: Duration) -> u32 {
    if every.is_zero() {
        return 0;
    }
    u32::try_from(every.as_millis()).map_or(MAX_HEARTBEAT_MS, |millis| millis.clamp(MIN_HEARTBEAT_MS, MAX_HEARTBEAT_MS))
}

/// What a handshake has announced. Nobody makes this side speak more often than once a second.
pub(crate) fn every(millis: u32) -> Option<Duration> {
    (millis != 0).then(|| Duration::from_millis(u64::from(millis.max(MIN_HEARTBEAT_MS))))
}

/// The time so much later, or as late as the clock goes.
pub(crate) fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + FAR)
}

/// Limits that the places for handlers and the queues can be made for.
pub(crate) fn bounded(mut limits: Limits) -> Limits {
    let (calls, packets) = (limits.calls.min(MAX_PLACES), limits.packets.min(MAX_PLACES));
    let streams = limits.streams.min(MAX_PLACES);
    limits.calls(calls).packets(packets).streams(streams);
    limits
}

const MIN_AUTHENTICATING: usize = 4;
const MIN_HEARTBEAT_MS: u32 = pnet_protocol::limits::MIN_HEARTBEAT_MS;
const MAX_HEARTBEAT_MS: u32 = 3_600_000;
const MAX_PLACES: u32 = 32_768;

/// Beyond the life of any process, and within what every platform's clock can say.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// As many handlers as the limits let the peer keep busy.
pub(crate) const fn places(limits: &Limits) -> usize {
    limits.calls as usize + limits.streams as usize + limits.packets as usize
}

/// As many packets and calls as may wait in an inbox. In JSON there is no credit, so there are more of them.
pub(crate) const fn inbox_places(limits: &Limits, dialect: Dialect) -> usize {
    let packets = match dialect {
        Dialect::Json => limits.packets.saturating_mul(UNCREDITED_PACKETS),
        _ => limits.packets,
    };
    limits.calls as usize + limits.streams as usize + packets as usize
}
