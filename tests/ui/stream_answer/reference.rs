//! A stream of no type by name.

use pnet::protocol;
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream &Tick }
        server { Tick }
    }
}
