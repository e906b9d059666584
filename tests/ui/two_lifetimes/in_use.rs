//! A packet with two lifetimes, in use.

use std::borrow::Cow;

use pnet::{Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Say<'a, 'b> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    #[serde(borrow)]
    pub to: Cow<'b, str>,
}

protocol! {
    pub Net {
        client { Say<'_, '_> }
    }
}

#[action("SAY")]
async fn say(_p: Say<'_, '_>) {}

actions! { pub server Server for Net: say }
