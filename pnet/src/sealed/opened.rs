//! What opening gives.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet_protocol::{key::Fingerprint, packet::Packet};

use super::letter::{ID_LEN, Read};

/// A packet that was opened, and what is known about it.
///
/// # Examples
///
/// ```
/// # use pnet::{Opened, Packet};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Packet, Serialize, Deserialize)]
/// # struct Note { text: String }
/// fn show(opened: Opened<Note>) -> String {
///     match opened.sender() {
///         Some(sender) => format!("{sender} says: {}", opened.into_packet().text),
///         None => format!("somebody says: {}", opened.into_packet().text),
///     }
/// }
/// ```
pub struct Opened<T> {
    packet: T,
    sender: Option<Fingerprint>,
    created: SystemTime,
    id: [u8; ID_LEN],
}

impl<T> Opened<T> {
    pub(super) fn new(read: Read<T>) -> Self {
        let Read { packet, sender, created, id } = read;
        Self { packet, sender, created: UNIX_EPOCH + Duration::from_millis(created), id }
    }

    /// The packet.
    #[must_use]
    pub const fn packet(&self) -> &T {
        &self.packet
    }

    /// The packet, and nothing of the rest.
    #[must_use]
    pub fn into_packet(self) -> T {
        self.packet
    }

    /// The identity that has signed it. `None`: anybody may have written it, and it may have been opened before.
    #[must_use]
    pub const fn sender(&self) -> Option<Fingerprint> {
        self.sender
    }

    /// When it was sealed, by its sender's clock, to a millisecond. Without a sender it is what anybody has written there.
    #[must_use]
    pub const fn created(&self) -> SystemTime {
        self.created
    }

    /// The random id that it was given by its sender.
    #[must_use]
    pub const fn id(&self) -> &[u8; 16] {
        &self.id
    }
}

/// Shows nothing of the packet but its type.
impl<T: Packet> fmt::Debug for Opened<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened<{}>", T::TYPE)?;
        f.debug_struct("").field("sender", &self.sender).field("created", &self.created).finish_non_exhaustive()
    }
}
