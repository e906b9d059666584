//! `#[packet]` on a variant.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub enum Move {
    #[packet("LEFT")]
    Left,
}
