//! A view of a view.

use pnet::Packet;
use sample::Said;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct FixedSaid {
    pub text: &'static str,
}

#[derive(Packet, Serialize)]
#[packet(view_of = FixedSaid)]
pub struct SaidView<'a> {
    pub text: &'a str,
}
