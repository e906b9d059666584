//! The packet stands in angle brackets.

use pnet::protocol;
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream<Tick> }
        server { Tick }
    }
}
