//! Packets of two crates would be the same variant.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet("GO")]
pub struct Move;

protocol! {
    pub Net {
        client { Move, third::Move }
    }
}
