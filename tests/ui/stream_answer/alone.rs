//! No packet follows the word; nor at the end of a list.

use pnet::protocol;
use sample::{Tick, Watch};

protocol! {
    pub Net {
        client { Tick -> stream, Watch -> stream }
        server { Tick }
    }
}
