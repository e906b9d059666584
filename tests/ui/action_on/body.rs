//! The body is still being written: the function is a handler all the same.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add) -> Sum {
    let a = ;
    Sum { sum: p.a }
}

actions! { pub server Server for Math: add }
