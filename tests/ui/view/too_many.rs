//! A field more than the packet has.

use pnet::Packet;
use sample::Sum;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Sum)]
pub struct SumView<'a> {
    pub sum: i64,
    pub note: &'a str,
}
