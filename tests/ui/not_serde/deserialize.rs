//! A packet that serde can only write.

use pnet::Packet;
use serde::Serialize;

#[derive(Packet, Serialize)]
pub struct Move {
    pub x: i32,
}
