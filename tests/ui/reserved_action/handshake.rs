//! An action that pnet needs itself.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet("handShake")]
pub struct Mine;
