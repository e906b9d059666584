//! A stream of nothing, under another name.

use pnet::protocol;
use sample::{Tick, Watch};

type Nothing = ();

protocol! {
    pub Net {
        client { Watch -> stream Nothing }
        server { Tick }
    }
}
