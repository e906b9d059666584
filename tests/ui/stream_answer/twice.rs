//! A stream of streams.

use pnet::protocol;
use sample::{Sum, Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream stream Result<Tick, Sum>, Sum }
        server { Tick }
    }
}
