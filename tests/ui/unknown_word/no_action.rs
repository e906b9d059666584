//! `#[action]` without a name.

use pnet::{action, actions};
use sample::{Said, Small, Sum};

#[action]
fn said(_p: Said) {}

#[action("SUM")]
fn sum(_p: Sum) {}

actions! { pub server Server for Small: said, sum }
