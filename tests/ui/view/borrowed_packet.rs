//! Handlers answer with a packet that borrows, and not with a view.

use pnet::{Packet, action, actions, protocol};
use sample::{Said, Say};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: &'a str,
}

protocol! {
    pub Net {
        client { Say<'_> -> Said }
    }
}

#[action("SAY")]
fn say(p: Say<'_>) -> Say<'_> {
    p
}

#[action("SAY")]
async fn say_later(p: Say<'_>) -> Result<Say<'_>, pnet::Failure> {
    Ok(p)
}

actions! { pub server Server for Net: say }
actions! { pub server Later for Net: say_later }
