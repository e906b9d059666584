//! An argument that belongs to another service: its connections have another state.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct App;

pub struct Member;

pub struct Other;

#[action(connect)]
fn joined() -> Member {
    Member
}

#[action("ADD")]
async fn add(p: Add, _me: &Other) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server(App) for Math(Member): joined, add }
