//! The word has a capital letter.

use pnet::protocol;
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> Stream Tick }
        server { Tick }
    }
}
