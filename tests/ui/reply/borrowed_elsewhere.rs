//! An answer that borrows, by an alias that hides its lifetime.

use pnet::protocol;
use sample::{Add, Say};

pub type Hidden = Say<'static>;

protocol! {
    pub Net {
        client { Add -> Hidden }
    }
}
