//! The name in `#[action]` is not the packet's action.

use pnet::{action, actions};
use sample::{Said, Small, Sum};

#[action("SAIDD")]
fn said(_p: Said) {}

#[action("SUM")]
fn sum(_p: Sum) {}

actions! { pub server Server for Small: said, sum }
