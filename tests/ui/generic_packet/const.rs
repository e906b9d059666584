//! A packet with a constant parameter.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Row<const N: usize> {
    pub width: u8,
}
