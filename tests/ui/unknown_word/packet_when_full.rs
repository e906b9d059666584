//! A rule for a full queue that there is not.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet("MOVE", when_full = "drop")]
pub struct Move;
