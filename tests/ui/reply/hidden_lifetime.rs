//! A reply borrows, though its lifetime is not written.

use pnet::protocol;
use sample::{Add, Say};

protocol! {
    pub Net {
        client { Add -> Say }
    }
}
