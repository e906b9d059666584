//! Defaults that are this crate's own; what goes over the wire is in [`Limits`](pnet_protocol::limits::Limits).

use std::time::Duration;

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
/// Announced to clients; the time between two signs of life.
pub(crate) const HEARTBEAT_MS: u32 = 15_000;
/// Connections of a server.
pub(crate) const CONNECTIONS: usize = 10_000;
/// Connections whose handshake is not done: in all, and from one address that is not loopback.
pub(crate) const HALF_OPEN: usize = 256;
pub(crate) const HALF_OPEN_PER_ADDRESS: usize = 32;

pub(crate) const fn times(grace: Duration) -> Times {
    Times { write: WRITE, grace }
}
