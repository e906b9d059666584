//! Two connect handlers.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action(connect)]
async fn joined() {}

#[action(connect)]
fn also() {}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: joined, add, also }
