//! A view of two packets.

use pnet::Packet;
use sample::{Said, Sum};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said, view_of = Sum)]
pub struct SaidView<'a> {
    pub text: &'a str,
}
