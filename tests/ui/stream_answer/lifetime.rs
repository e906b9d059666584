//! The items of a stream borrow.

use pnet::protocol;
use sample::{Say, Tick, Watch};

protocol! {
    pub Net {
        client { Watch -> stream Say<'_> }
        server { Tick }
    }
}
