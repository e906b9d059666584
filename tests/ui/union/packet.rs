//! A union.

use pnet::Packet;

#[derive(Packet)]
pub union Bits {
    pub a: u32,
    pub b: f32,
}
