//! Actions by their names in `protocol!`.

use pnet::protocol;

protocol! {
    pub Net {
        client { "ADD" }
    }
}
