//! The connect handler makes something else.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct Member;

#[action(connect)]
async fn joined() -> Result<String, pnet::Refused> {
    Ok(String::new())
}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math(Member): joined, add }
