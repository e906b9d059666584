//! A private state in a `pub` service.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

struct App;

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server(App) for Math: add }
