//! The limits whose being met is counted.

/// A limit of a server or a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    MaxConnections,
    MaxMemory,
    MaxAuthenticating,
    WaitingSilent,
    WaitingHandshakes,
    WaitingPerAddress,
    LoginDelay,
    HandshakeTimeout,
    Heartbeat,
    CallTimeout,
    WriteTimeout,
    FrameTimeout,
    MaxFrameLen,
    Calls,
    Streams,
    StreamItems,
    Packets,
    PacketBytes,
    OutBuffer,
    QueueBytes,
    QueuePackets,
    Mistakes,
    Cancellations,
}

#[cfg(feature = "inspect")]
impl Met {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::Cancellations as usize + 1;

    /// Its name, as in the settings where there is one, and what it is counted in.
    pub(crate) const fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::MaxConnections => ("max_connections", "connections"),
            Self::MaxMemory => ("max_memory", "bytes"),
            Self::MaxAuthenticating => ("max_authenticating", "runs"),
            Self::WaitingSilent => ("waiting_silent", "connections"),
            Self::WaitingHandshakes => ("waiting_handshakes", "connections"),
            Self::WaitingPerAddress => ("waiting_per_address", "connections"),
            Self::LoginDelay => ("login_delay", "ms"),
            Self::HandshakeTimeout => ("handshake_timeout", "ms"),
            Self::Heartbeat => ("heartbeat", "ms"),
            Self::CallTimeout => ("call_timeout", "ms"),
            Self::WriteTimeout => ("write_timeout", "ms"),
            Self::FrameTimeout => ("frame_timeout", "ms"),
            Self::MaxFrameLen => ("max_frame_len", "bytes"),
            Self::Calls => ("calls", "calls"),
            Self::Streams => ("streams", "streams"),
            Self::StreamItems => ("stream_items", "items"),
            Self::Packets => ("packets", "packets"),
            Self::PacketBytes => ("packet_bytes", "bytes"),
            Self::OutBuffer => ("out_buffer", "bytes"),
            Self::QueueBytes => ("queue_bytes", "bytes"),
            Self::QueuePackets => ("queue_packets", "packets"),
            Self::Mistakes => ("mistakes", "per minute"),
            Self::Cancellations => ("cancellations", "per second"),
        }
    }
}
