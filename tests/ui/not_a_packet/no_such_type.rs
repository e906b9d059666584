//! A listed type does not exist.

use pnet::protocol;

protocol! {
    pub Net {
        client { Missing }
    }
}
