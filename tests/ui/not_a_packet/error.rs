//! A declared error is no packet.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Go;

#[derive(Packet, Serialize, Deserialize)]
pub struct Gone;

protocol! {
    pub Net {
        client { Go -> Result<Gone, String> }
    }
}
