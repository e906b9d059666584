//! The limits that servers and clients have in common.

use std::time::Duration;

use pnet_protocol::{
    connection::{CANCELLATIONS, HIGH_WATER, MISTAKES, QUEUE_BYTES, QUEUE_PACKETS},
    limits::Limits,
};

use super::BEGUN;
use crate::{config, counts::Met};

/// What each connection may, with these settings: handshake timeout, heartbeat, call timeout.
pub(crate) fn of_connections(
    limits: &Limits,
    (handshake, heartbeat_ms, call): (Duration, u32, Option<Duration>),
) -> Vec<(Met, u64)> {
    let mut allowed = vec![(Met::HandshakeTimeout, millis(handshake)), (Met::Heartbeat, heartbeat_ms.into())];
    allowed.extend(call.map(|call| (Met::CallTimeout, millis(call))));
    allowed.extend([
        (Met::WriteTimeout, millis(config::WRITE)),
        (Met::FrameTimeout, millis(BEGUN)),
        (Met::MaxFrameLen, limits.max_frame_len.into()),
        (Met::Calls, limits.calls.into()),
        (Met::Streams, limits.streams.into()),
        (Met::StreamItems, limits.stream_items.into()),
        (Met::Packets, limits.packets.into()),
        (Met::PacketBytes, limits.packet_bytes.into()),
        (Met::OutBuffer, HIGH_WATER as u64),
        (Met::QueueBytes, QUEUE_BYTES as u64),
        (Met::QueuePackets, QUEUE_PACKETS as u64),
        (Met::Mistakes, MISTAKES.into()),
        (Met::Cancellations, CANCELLATIONS.into()),
    ]);
    allowed
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
