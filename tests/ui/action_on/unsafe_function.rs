//! An `unsafe fn`; what else is wrong with it is not said yet.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
unsafe fn add(p: &Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
