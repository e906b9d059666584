//! A handler without any argument.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add() -> Sum {
    Sum { sum: 0 }
}

actions! { pub server Server for Math: add }
