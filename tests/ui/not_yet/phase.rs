//! A word kept for a later version.

use pnet::protocol;
use sample::{Add, Said, Sum};

protocol! {
    pub Net {
        phase Guest { client { Add -> Sum } server { } }
        server { Said, Sum, Add }
    }
}
