//! What one side takes from the other, and the fixed sizes of the handshake.
//!
//! Each side tells its [`Limits`] in the handshake. The sender keeps to the receiver's, so that nothing is refused in
//! normal use; the receiver enforces its own all the same. Byte layout: `docs/wire.md` §5.4, in JSON §11.5.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

/// What one side takes from the other: frame length, calls, one-way packets, streams.
///
/// ```
/// use pnet_protocol::limits::Limits;
///
/// let mut limits = Limits::default();
/// limits.calls(8).max_frame_len(64 * 1024);
/// assert_eq!(limits.calls, 8);
/// assert_eq!(limits.packets, 64);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest frame taken, counted as the frame's length field counts: everything after that field. Default 1 MiB.
    pub max_frame_len: u32,
    /// Calls the other side may have open here; the next one is answered `busy`. Default 64.
    pub calls: u32,
    /// One-way packets the other side may have sent that are not yet handled. Default 64.
    pub packets: u32,
    /// Bytes (as the length field counts) of such packets; the last one may overrun. Default 256 KiB.
    pub packet_bytes: u32,
    /// Streams the other side may have open here. Default 64.
    pub streams: u32,
    /// Items of one stream that may be on their way to this side. Default 64.
    pub stream_items: u32,
}

impl Limits {
    /// Sets the longest frame taken; raised to [`HANDSHAKE_FRAME_LEN`] and lowered to 2³¹−1 where needed.
    pub fn max_frame_len(&mut self, bytes: u32) -> &mut Self {
        self.max_frame_len = bytes.clamp(HANDSHAKE_FRAME_LEN, MAX_LIMIT);
        self
    }

    /// Sets how many calls the other side may have open here; 1 to 2³¹−1.
    pub fn calls(&mut self, calls: u32) -> &mut Self {
        self.calls = calls.clamp(1, MAX_LIMIT);
        self
    }

    /// Sets how many one-way packets may be unhandled here; 1 to 2³¹−1.
    pub fn packets(&mut self, packets: u32) -> &mut Self {
        self.packets = packets.clamp(1, MAX_LIMIT);
        self
    }

    /// Sets how many bytes of one-way packets may be unhandled here; 1 to 2³¹−1.
    pub fn packet_bytes(&mut self, bytes: u32) -> &mut Self {
        self.packet_bytes = bytes.clamp(1, MAX_LIMIT);
        self
    }

    /// Sets how many streams the other side may have open here; 1 to 2³¹−1.
    pub fn streams(&mut self, streams: u32) -> &mut Self {
        self.streams = streams.clamp(1, MAX_LIMIT);
        self
    }

    /// Sets how many items of one stream may be on their way to this side; 1 to 2³¹−1.
    pub fn stream_items(&mut self, items: u32) -> &mut Self {
        self.stream_items = items.clamp(1, MAX_LIMIT);
        self
    }

    /// The limits as the handshake carries them.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let fields = [self.max_frame_len, self.calls, self.packets, self.packet_bytes, self.streams, self.stream_items];
        fields.iter().flat_map(|field| field.to_le_bytes()).collect()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Bytes after the known fields belong to later versions.
    ///
    /// `None` if a field is missing, zero or above 2³¹−1, or the frame length is below [`HANDSHAKE_FRAME_LEN`]: with
    /// such limits the other side could not even be told why the connection ends.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = bytes.as_chunks().0.iter().map(|field| u32::from_le_bytes(*field));
        let mut field = |min: u32| fields.next().filter(|value| (min..=MAX_LIMIT).contains(value));
        Some(Self {
            max_frame_len: field(HANDSHAKE_FRAME_LEN)?,
            calls: field(1)?,
            packets: field(1)?,
            packet_bytes: field(1)?,
            streams: field(1)?,
            stream_items: field(1)?,
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_len: 1024 * 1024,
            calls: 64,
            packets: 64,
            packet_bytes: 256 * 1024,
            streams: 64,
            stream_items: 64,
        }
    }
}

/// The shortest heartbeat, in milliseconds.
pub const MIN_HEARTBEAT_MS: u32 = 1_000;

/// The heartbeat that a server announces: the shorter of its own and of what the client wishes for, in milliseconds. 0 is
/// none, or no wish; a server that has none is asked for none.
pub const fn agreed_heartbeat_ms(own: u32, wish: u32) -> u32 {
    if own == 0 {
        return 0;
    }
    let shorter = if wish != 0 && wish < own { wish } else { own };
    if shorter < MIN_HEARTBEAT_MS { MIN_HEARTBEAT_MS } else { shorter }
}

/// Longest frame before the handshake is over, and the least a [`Limits::max_frame_len`] may be.
pub const HANDSHAKE_FRAME_LEN: u32 = 4096;

/// Longest frame of the mismatch exchange, and the longest text a mismatch report is shown as.
pub const REPORT_LEN: u32 = 64 * 1024;

/// Most bytes of credentials a client may show, as JSON text.
pub const CREDENTIALS_LEN: usize = 3072;

/// Most bytes of text in a close reason or a failure's message.
pub const TEXT_LEN: usize = 1024;

/// Most bytes of a failure's code; least is one.
pub const CODE_LEN: usize = 64;

/// Most bytes of a call's id that is a text, in the JSON dialect; least is one.
pub const CALL_ID_LEN: usize = 64;

/// Most bytes that a JSON peer may send before its first object is whole, whitespace included.
pub const FIRST_OBJECT_LEN: usize = 4096;

/// A JSON peer, which has no credit that would tell it to wait, may have this many times [`Limits::packets`] unhandled.
pub const UNCREDITED_PACKETS: u32 = 16;

/// Most bytes of an action's name; least is one.
pub const ACTION_LEN: usize = 64;

/// Most bytes of a protocol's name; least is one.
pub const PROTOCOL_NAME_LEN: usize = 255;

/// No limit is above this, so that sums of two fit everywhere.
pub(crate) const MAX_LIMIT: u32 = i32::MAX.unsigned_abs();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let mut limits = Limits::default();
        limits.max_frame_len(5000).calls(1).packets(2).packet_bytes(3).streams(4).stream_items(5);
        assert_eq!(Limits::from_bytes(&limits.to_bytes()), Some(limits));
    }

    #[test]
    fn later_fields_are_skipped() {
        let mut bytes = Limits::default().to_bytes();
        bytes.extend([1, 2, 3]);
        assert_eq!(Limits::from_bytes(&bytes), Some(Limits::default()));
    }

    #[test]
    fn useless_limits_are_refused() {
        assert_eq!(Limits::from_bytes(&[0; 24]), None);
        assert_eq!(Limits::from_bytes(&[0xFF; 24]), None);
        let mut bytes = Limits::default().to_bytes();
        bytes.pop();
        assert_eq!(Limits::from_bytes(&bytes), None);
    }

    #[test]
    fn setters_clamp() {
        let mut limits = Limits::default();
        limits.max_frame_len(0).calls(0).packets(u32::MAX);
        assert_eq!((limits.max_frame_len, limits.calls, limits.packets), (HANDSHAKE_FRAME_LEN, 1, MAX_LIMIT));
    }
}
