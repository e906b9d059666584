//! A word that `#[schema]` does not know.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Move {
    #[schema(opake)]
    pub x: i32,
}
