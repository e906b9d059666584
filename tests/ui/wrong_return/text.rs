//! A handler returns no packet.

use pnet::{action, actions};
use sample::{Add, Math};

#[action("ADD")]
fn add(p: Add) -> i64 {
    p.a + p.b
}

actions! { pub server Server for Math: add }
