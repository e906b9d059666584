//! A handler returns nothing, but its packet is answered.

use pnet::{action, actions};
use sample::{Add, Math};

#[action("ADD")]
fn add(_p: Add) {}

actions! { pub server Server for Math: add }
