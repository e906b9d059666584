//! A listed function of a module, without `#[action]`.

use pnet::actions;
use sample::Math;

mod math {
    use sample::{Add, Sum};

    pub async fn add(p: Add) -> Sum {
        Sum { sum: p.a + p.b }
    }
}

actions! { pub server Server for Math: math::add }
