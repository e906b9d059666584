//! A handler whose packet is none.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct Plus {
    pub a: i64,
}

#[action("ADD")]
fn add(p: Plus) -> Sum {
    Sum { sum: p.a }
}

actions! { pub server Server for Math: add }
