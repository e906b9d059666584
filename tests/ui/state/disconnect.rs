//! A disconnect handler wants what the state does not have.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct Db;

#[action(disconnect)]
async fn left(_db: &Db) {}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: left, add }
