//! A stream of nothing.

use pnet::protocol;
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream () }
        server { Tick }
    }
}
