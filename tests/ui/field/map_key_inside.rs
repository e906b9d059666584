//! A tuple as the key of a map, deep inside, in use.

use std::collections::BTreeMap;

use pnet::{Packet, Schema, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Schema, Serialize, Deserialize)]
pub struct Cells {
    pub all: Option<Vec<BTreeMap<(u8, u8), u8>>>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Board {
    pub cells: Cells,
}

protocol! {
    pub Net {
        client { Board }
    }
}

#[action("BOARD")]
fn board(_p: Board) {}

actions! { pub server Server for Net: board }
