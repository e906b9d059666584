//! The name does not come first in `#[action]`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action(finish, "ADD")]
async fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
