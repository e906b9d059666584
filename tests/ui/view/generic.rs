//! A generic view.

use pnet::Packet;
use sample::Said;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<T> {
    pub text: T,
}
