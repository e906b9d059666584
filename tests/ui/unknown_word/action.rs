//! A word that `#[action]` does not know.

use pnet::{action, actions};
use sample::{Said, Small, Sum};

#[action("SAID", parallel)]
fn said(_p: Said) {}

#[action("SUM")]
fn sum(_p: Sum) {}

actions! { pub server Server for Small: said, sum }
