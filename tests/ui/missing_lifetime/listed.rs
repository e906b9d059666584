//! A packet with a lifetime, listed without.
//! Two errors: rustc reports the missing lifetime in another way in an `impl` than in the enum of what is received.

use pnet::protocol;
use sample::Say;

protocol! {
    pub Net {
        client { Say }
    }
}
