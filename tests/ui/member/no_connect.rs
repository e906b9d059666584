//! Connections have a state that nothing makes.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct Member;

#[action("ADD")]
fn add(p: Add, _me: &Member) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math(Member): add }
