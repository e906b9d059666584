//! The error of a stream borrows.

use pnet::protocol;
use sample::{Say, Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream Result<Tick, Say<'_>> }
        server { Tick }
    }
}
