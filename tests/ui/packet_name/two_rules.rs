//! Two rules for a full queue.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet("MOVE", when_full = "drop_new", when_full = "wait")]
pub struct Move;
