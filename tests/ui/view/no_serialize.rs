//! A view without serde's derive, in use.

use pnet::{Packet, action, actions};
use sample::{Add, Math, Sum};

#[derive(Packet)]
#[packet(view_of = Sum)]
pub struct SumView<'a> {
    pub sum: &'a i64,
}

#[action("ADD")]
fn add<'a>(_p: Add, app: &'a i64) -> SumView<'a> {
    SumView { sum: app }
}

actions! { pub server Server(i64) for Math: add }
