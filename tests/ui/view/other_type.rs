//! A field is of another type than the packet's.

use pnet::Packet;
use sample::Said;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: &'a [u8],
}
