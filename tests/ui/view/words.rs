//! Words that are the packet's own affair; all are reported.

use pnet::Packet;
use sample::Said;
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet("SAID", json, when_full = "drop_new", view_of = Said)]
pub struct SaidView<'a> {
    pub text: &'a str,
}
