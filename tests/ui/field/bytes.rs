//! A `&[u8]` field.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Blob<'a> {
    pub data: &'a [u8],
}
