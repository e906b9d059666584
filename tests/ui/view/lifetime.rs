//! A view of a packet that borrows.

use pnet::Packet;
use sample::Say;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Say<'_>)]
pub struct SayView<'a> {
    pub text: &'a str,
}
