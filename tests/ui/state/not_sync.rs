//! A state that threads cannot share.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct App {
    pub count: std::cell::Cell<u32>,
}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server(App) for Math: add }
