//! `#[action]` on a function that returns `impl Trait`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add) -> impl Into<Sum> {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
