//! A service with handlers, for something that is no protocol.
//! Three errors: what a handler has to answer depends on the protocol, so its bounds fail with it.

use pnet::{action, actions};
use sample::{Add, Sum};

pub struct Net;

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Net: add }
