//! A packet without serde's derives.

use pnet::Packet;

#[derive(Packet)]
pub struct Move {
    pub x: i32,
}
