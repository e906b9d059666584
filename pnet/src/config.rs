//! Defaults that are this crate's own; what goes over the wire is in [`Limits`](pnet_protocol::limits::Limits).

use std::time::Duration;

use pnet_protocol::limits::Limits;
use tokio::time::Instant;

use crate::connection::driver::Times;

/// Where servers listen unless told otherwise: `127.0.0.1:25565`.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:25565";

/// How long accepted work may take once the end is near.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// Handshake and connect handler together.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);
/// A call without an own timeout.
pub(crate) const CALL: Duration = Duration::from_secs(30);
/// A write without progress.
pub(crate) const WRITE: Duration = Duration::from_secs(10);
/// Announced to clients: no signs of life are sent or expected.
pub(crate) const HEARTBEAT_MS: u32 = 0;
/// Connections of a server.
pub(crate) const CONNECTIONS: usize = 10_000;
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

pub(crate) const fn times(grace: Duration) -> Times {
    Times { write: WRITE, grace }
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

const MAX_PLACES: u32 = 32_768;

/// Beyond the life of any process, and within what every platform's clock can say.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
