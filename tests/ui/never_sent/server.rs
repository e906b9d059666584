//! A server lists the handler of what clients never send.

use pnet::{action, actions};
use sample::{Answer, Said, Small, Sum};

#[action("SAID")]
fn said(_p: Said) {}

#[action("SUM")]
fn sum(_p: Sum) {}

#[action("ANSWER")]
fn answer(_p: Answer) {}

actions! { pub server Server for Small: said, sum, answer }
