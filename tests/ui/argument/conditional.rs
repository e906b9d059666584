//! An argument that is there sometimes.

use pnet::{Meta, action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add, #[cfg(any())] _meta: Meta) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
