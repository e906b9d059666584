//! The packet's variants are others.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub enum Found {
    Nothing,
    Text(String),
}

#[derive(Packet, Serialize)]
#[packet(view_of = Found)]
pub enum FoundView<'a> {
    Text(&'a str),
    Nothing,
}
