//! Packets and a handler that belong to somebody else.

use pnet::{Packet, action};
use serde::{Deserialize, Serialize};

/// A move, as others see it.
#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
pub struct Move {
    /// Where to.
    pub x: i32,
}

/// What a [`Move`] did.
#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
pub struct Moved {
    /// How far.
    pub by: i32,
}

/// Doubles.
#[action("MOVE")]
#[must_use]
pub fn double(p: Move) -> Moved {
    Moved { by: 2 * p.x }
}

/// A module between.
pub mod inner {
    use pnet::action;

    use crate::{Move, Moved};

    /// Halves.
    #[action("MOVE")]
    pub async fn halve(p: Move) -> Moved {
        Moved { by: p.x / 2 }
    }
}
