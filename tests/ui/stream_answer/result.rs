//! A result of one type.

use pnet::protocol;
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream Result<Tick> }
        server { Tick }
    }
}
