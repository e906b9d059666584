//! A stream of what is no packet.

use pnet::protocol;
use sample::{Tick, Watch};

pub struct Odd;

protocol! {
    pub Net {
        client { Watch -> stream Odd }
        server { Tick }
    }
}
