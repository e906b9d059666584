//! A packet stands twice in a list.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ping;

protocol! {
    pub Net {
        client { Ping, Ping }
    }
}
