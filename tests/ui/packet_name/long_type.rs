//! A type whose name makes an action of more than 64 bytes.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct AaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAa;
