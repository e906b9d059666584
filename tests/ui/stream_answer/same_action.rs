//! Items and error have the same action.

use pnet::protocol;
use sample::{Tick, Watch};

pub mod other {
    use pnet::Packet;
    use serde::{Deserialize, Serialize};

    #[derive(Packet, Serialize, Deserialize)]
    pub struct Tick;
}

protocol! {
    pub Net {
        client { Watch -> stream Result<Tick, other::Tick> }
        server { Tick }
    }
}
