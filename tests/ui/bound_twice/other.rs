//! Two handlers for one action.

use pnet::{action, actions};
use sample::{Said, Small, Sum};

#[action("SAID")]
fn said(_p: Said) {}

mod other {
    use super::*;

    #[action("SAID")]
    pub async fn also(_p: Said) {}
}

#[action("SUM")]
fn sum(_p: Sum) {}

actions! { pub server Server for Small: said, other::also, sum }
