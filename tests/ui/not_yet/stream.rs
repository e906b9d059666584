//! A word kept for a later version.

use pnet::protocol;
use sample::{Add, Said, Sum};

protocol! {
    pub Net {
        client { Add -> stream Sum }
        server { Said, Sum, Add }
    }
}
