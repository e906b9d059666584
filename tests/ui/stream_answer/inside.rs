//! The word stands inside of the result.

use pnet::protocol;
use sample::{Denied, Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> Result<stream Tick, Denied>, Denied }
        server { Tick }
    }
}
