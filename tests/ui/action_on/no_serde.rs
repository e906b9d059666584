//! The packet of a handler has no serde.

use pnet::{Packet, action};

#[derive(Packet)]
pub struct Go;

#[action("GO")]
fn go(_p: Go) {}
