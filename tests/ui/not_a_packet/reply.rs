//! An answer is no packet.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Go;

pub struct Gone;

protocol! {
    pub Net {
        client { Go -> Gone }
    }
}
