//! A packet with a type parameter.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
}
