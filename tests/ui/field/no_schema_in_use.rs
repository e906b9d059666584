//! A nested type without `Schema`, inside of a list, the packet in use.

use pnet::{Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Pos {
    pub x: i32,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Move {
    pub to: Vec<Pos>,
}

protocol! {
    pub Net {
        client { Move -> Move }
    }
}

#[action("MOVE")]
async fn go(p: Move) -> Move {
    p
}

actions! { pub server Server for Net: go }
