//! One function for two actions.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
#[action("SUM")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
