//! A field of the packet is missing.

use pnet::Packet;
use sample::Sum;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Sum)]
pub struct SumView;
