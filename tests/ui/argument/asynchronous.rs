//! An argument that no handler can have, of an `async fn`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
async fn add(p: Add, _number: u32) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
