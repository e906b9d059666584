//! Two packets of one direction have the same action.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ping;

#[derive(Packet, Serialize, Deserialize)]
#[packet("PING")]
pub struct Probe;

protocol! {
    pub Net {
        client { Ping, Probe }
    }
}
