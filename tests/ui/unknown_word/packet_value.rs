//! `#[packet]` with a value instead of parentheses.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet = "GO"]
pub struct Move;
