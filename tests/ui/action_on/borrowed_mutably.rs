//! The packet by `&mut`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: &mut Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
