//! An argument that no handler can have.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct Clock;

#[action("ADD")]
fn add(p: Add, _clock: Clock) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
