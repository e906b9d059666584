//! A word that `#[packet]` does not know.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet(jsn)]
pub struct Move;
