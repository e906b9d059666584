//! A view of a type that is no packet, in use.

use pnet::{Packet, action, actions};
use sample::{Add, Math};
use serde::Serialize;

pub struct Plain {
    pub sum: i64,
}

#[derive(Packet, Serialize)]
#[packet(view_of = Plain)]
pub struct PlainView<'a> {
    pub sum: &'a i64,
}

#[action("ADD")]
fn add(p: Add) -> sample::Sum {
    sample::Sum { sum: p.a }
}

actions! { pub server Server for Math: add }
