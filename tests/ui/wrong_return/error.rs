//! A handler's error is not the declared one and becomes no `Failure`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct Odd;

#[action("ADD")]
fn add(p: Add) -> Result<Sum, Odd> {
    if p.a > 0 { Ok(Sum { sum: p.a + p.b }) } else { Err(Odd) }
}

actions! { pub server Server for Math: add }
