//! A nested type without `Schema`.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Pos {
    pub x: i32,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Move {
    pub to: Pos,
}
