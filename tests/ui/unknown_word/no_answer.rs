//! An arrow to nothing.

use pnet::protocol;
use sample::{Add, Said};

protocol! {
    pub Net {
        client { Add -> , Said }
    }
}
