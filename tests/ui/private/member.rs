//! A connection's own state, private in a `pub` service.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

struct Member;

#[action(connect)]
fn joined() -> Member {
    Member
}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math(Member): joined, add }
