//! An argument whose type does not exist.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add, _db: &Missing) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
