//! As in the client's direction, with a reply, and the rest of the program in use.

use pnet::{Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ping;

#[derive(Packet, Serialize, Deserialize)]
#[packet("PING")]
pub struct Probe;

protocol! {
    pub Net {
        server { Ping, Probe -> () }
    }
}

#[action("PING")]
fn ping(_p: Ping) {}

#[action("PING")]
fn probe(_p: Probe) {}

actions! { pub client Ui for Net: ping, probe }
