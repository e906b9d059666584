//! A map as the key of a map, in a generic type of a packet.

use std::collections::BTreeMap;

use pnet::{Packet, Schema};
use serde::{Deserialize, Serialize};

#[derive(Schema, Serialize, Deserialize)]
pub struct Page<T: Ord> {
    pub items: BTreeMap<T, u8>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Board {
    pub page: Page<(u8, u8)>,
}
