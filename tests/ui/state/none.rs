//! A service without state.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct App;

#[action("ADD")]
fn add(p: Add, _app: &App) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
