//! Several mistakes of one use are reported together.
//! Four mistakes, four errors.

use pnet::protocol;
use sample::{Add, Said, Say};

protocol! {
    pub Net {
        peers { Said }
        client { Said, Said, Add -> Say<'_> }
        server { &Said }
    }
}
