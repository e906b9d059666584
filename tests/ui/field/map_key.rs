//! A struct as the key of a map.

use std::collections::HashMap;

use pnet::{Packet, Schema};
use serde::{Deserialize, Serialize};

#[derive(PartialEq, Eq, Hash, Schema, Serialize, Deserialize)]
pub struct Pos {
    pub x: i32,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Board {
    pub cells: HashMap<Pos, u8>,
}
