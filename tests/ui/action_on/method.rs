//! `#[action]` on a method.

use pnet::{action};
use sample::{Add, Sum};

pub struct App;

impl App {
    #[action("ADD")]
    pub fn add(&self, p: Add) -> Sum {
        Sum { sum: p.a + p.b }
    }
}
