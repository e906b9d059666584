//! A handler's view without its lifetime.

use std::borrow::Cow;

use pnet::{Packet, action, actions, protocol};
use sample::{Said, Say};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: Cow<'a, str>,
}

protocol! {
    pub Net {
        client { Say<'_> -> Said }
    }
}

#[action("SAY")]
fn say(p: Say<'_>) -> SaidView {
    SaidView { text: p.text }
}

actions! { pub server Server for Net: say }
