//! An `Arc` of something that is not the state.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

use std::sync::Arc;

pub struct App;

pub struct Db;

#[action("ADD")]
async fn add(p: Add, _db: Arc<Db>) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server(App) for Math: add }
