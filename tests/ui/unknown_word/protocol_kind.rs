//! `struct` before the name of a protocol.

use pnet::protocol;
use sample::Said;

protocol! {
    pub struct Net {
        client { Said }
    }
}
