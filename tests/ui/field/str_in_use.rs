//! A `&str` field, the packet in use.

use pnet::{Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Say<'a> {
    pub text: &'a str,
}

protocol! {
    pub Net {
        client { Say<'_> }
    }
}

#[action("SAY")]
fn say(_p: Say<'_>) {}

actions! { pub server Server for Net: say }
