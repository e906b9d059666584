//! A listed function without `#[action]`.

use pnet::actions;
use sample::{Add, Math, Sum};

fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
