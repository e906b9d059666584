//! A word that is no side.

use pnet::protocol;
use sample::Said;

protocol! {
    pub Net {
        clients { Said }
        server { Said }
    }
}
