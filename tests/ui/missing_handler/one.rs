//! An action without a handler.

use pnet::{action, actions};
use sample::{Said, Small};

#[action("SAID")]
fn said(_p: Said) {}

actions! { pub server Server for Small: said }
