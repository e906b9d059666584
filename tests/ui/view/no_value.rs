//! A view of what is not said.

use pnet::Packet;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of)]
pub struct SaidView {
    pub text: String,
}
