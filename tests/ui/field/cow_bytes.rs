//! A `Cow` of bytes.

use std::borrow::Cow;

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Blob<'a> {
    #[serde(borrow)]
    pub data: Cow<'a, [u8]>,
}
