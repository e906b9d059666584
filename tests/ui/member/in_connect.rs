//! The connect handler wants the state it is to make.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct Member;

#[action(connect)]
async fn joined(_me: &Member) -> Member {
    Member
}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math(Member): joined, add }
