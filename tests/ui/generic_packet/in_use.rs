//! A packet with a type parameter, in use.

use pnet::{Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
}

protocol! {
    pub Net {
        client { Page<u8> }
    }
}

#[action("PAGE")]
async fn page(_p: Page<u8>) {}

actions! { pub server Server for Net: page }
