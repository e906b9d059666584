//! A part that the state does not have.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct App;

pub struct Db;

#[action("ADD")]
async fn add(p: Add, _db: &Db) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server(App) for Math: add }
