//! The packet's fields in another order.

use pnet::Packet;
use sample::Add;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Add)]
pub struct AddView {
    pub b: i64,
    pub a: i64,
}
