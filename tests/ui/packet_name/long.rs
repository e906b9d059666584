//! An action of 65 bytes.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
pub struct Move;
