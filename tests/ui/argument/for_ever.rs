//! The state as `&'static`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

pub struct App;

#[action("ADD")]
async fn add(p: Add, _app: &'static App) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server(App) for Math: add }
