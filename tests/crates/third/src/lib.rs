//! Packets and a handler that belong to somebody else.

use pnet::{Packet, SendError, StreamSender, action};
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

/// Asks for every [`Moved`] to come.
#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
pub struct Follow {
    /// How many.
    pub count: i32,
}

/// Counts.
///
/// # Errors
///
/// Nobody wants it any more.
#[action("FOLLOW")]
pub async fn follow(out: StreamSender<Moved>, p: Follow) -> Result<(), SendError> {
    for by in 0..p.count {
        out.send(Moved { by }).await?;
    }
    Ok(())
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
