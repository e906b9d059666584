//! A private protocol in a `pub` service.

use pnet::{action, actions, protocol};
use sample::Said;

protocol! {
    Net {
        client { Said }
    }
}

#[action("SAID")]
fn said(_p: Said) {}

actions! { pub server Server for Net: said }
