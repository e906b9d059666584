//! A listed function that does not exist, beside one that does.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add, ad }
