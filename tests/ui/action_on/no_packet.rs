//! A handler whose arguments are no packet.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
async fn add(_peer: pnet::Peer<Math>, _meta: pnet::Meta) -> Sum {
    Sum { sum: 0 }
}

actions! { pub server Server for Math: add }
