//! A server's service given to `connect`.

use pnet::{action, actions};
use sample::{Said, Small, Sum};

#[action("SAID")]
fn said(_p: Said) {}

#[action("SUM")]
fn sum(_p: Sum) {}

actions! { pub server Server for Small: said, sum }

pub fn run() {
    let _ = pnet::connect(Server, ());
}
