//! A listed type is no packet.

use pnet::protocol;

pub struct Move;

protocol! {
    pub Net {
        client { Move }
    }
}
