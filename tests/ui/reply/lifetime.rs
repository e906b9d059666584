//! A reply borrows.

use pnet::protocol;
use sample::{Add, Say};

protocol! {
    pub Net {
        client { Add -> Say<'_> }
    }
}
