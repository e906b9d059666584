//! `#[action]` on a generic function.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add<T: Default>(p: Add, _rest: T) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
