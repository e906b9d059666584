//! A handler answers a packet without a reply.

use pnet::{action, actions};
use sample::{Said, Small, Sum};

#[action("SAID")]
fn said(_p: Said) -> Sum {
    Sum { sum: 0 }
}

#[action("SUM")]
fn sum(_p: Sum) {}

actions! { pub server Server for Small: said, sum }
