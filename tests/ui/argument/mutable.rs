//! A handler wants the state for itself.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add, app: &mut u64) -> Sum {
    *app += 1;
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
