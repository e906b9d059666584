//! A word that serde does not know: serde's own error is the only one.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub enum Move {
    Left(#[serde(flaten)] u8),
}
