//! A list stands twice in a protocol.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ping;

#[derive(Packet, Serialize, Deserialize)]
pub struct Pong;

protocol! {
    pub Net {
        client { Ping }
        client { Pong }
    }
}
