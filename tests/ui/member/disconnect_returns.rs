//! A disconnect handler returns something.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action(disconnect)]
fn left() -> u32 {
    1
}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: left, add }
