//! `#[action]` on a function that is generic by `impl`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
fn add(p: Add, _show: impl ToString) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
