//! A stream of a type that there is not.

use pnet::protocol;
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream Tock }
        server { Tick }
    }
}
