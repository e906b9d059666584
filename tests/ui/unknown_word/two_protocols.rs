//! Two protocols in one `protocol!`.

use pnet::protocol;
use sample::Said;

protocol! {
    pub Net {
        client { Said }
    }
    pub Other {
        client { Said }
    }
}
