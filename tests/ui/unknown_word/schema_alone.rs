//! `#[schema]` without a word.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Move {
    #[schema]
    pub x: u8,
}
