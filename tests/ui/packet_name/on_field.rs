//! `#[packet]` on a field.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Move {
    #[packet("x")]
    pub to_x: u8,
}
