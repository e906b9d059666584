//! A declared error borrows, in use.

use pnet::{action, actions, protocol};
use sample::{Add, Say, Sum};

protocol! {
    pub Net {
        client { Add -> Result<Sum, Say<'static>> }
    }
}

#[action("ADD")]
fn add(p: Add) -> Result<Sum, Say<'static>> {
    if p.a > p.b { Ok(Sum { sum: p.a }) } else { Err(Say { text: "no".into() }) }
}

actions! { pub server Server for Net: add }
