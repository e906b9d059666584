//! A handler with two packets.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add, more: Sum) -> Sum {
    Sum { sum: p.a + more.sum }
}

actions! { pub server Server for Math: add }
