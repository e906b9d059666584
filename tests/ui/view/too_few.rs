//! A field of the packet is missing among others.

use pnet::Packet;
use sample::Add;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Add)]
pub struct AddView<'x> {
    pub a: &'x i64,
}
