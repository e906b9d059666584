//! Two disconnect handlers.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action(disconnect)]
async fn left(_why: &pnet::Closed) {}

#[action(disconnect)]
fn also() {}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: left, also, add }
