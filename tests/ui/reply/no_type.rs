//! An answer that is no packet, no `()` and no `Result`.

use pnet::protocol;
use sample::{Add, Sum};

protocol! {
    pub Net {
        client { Add -> (Sum, Sum) }
    }
}
