//! A stream whose error is no packet.

use pnet::protocol;
use sample::{Tick, Watch};

pub struct Odd;

protocol! {
    pub Net {
        client { Watch -> stream Result<Tick, Odd> }
        server { Tick }
    }
}
