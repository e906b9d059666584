//! An action with a line break.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet("A\nB")]
pub struct Move;
