//! A handle of another protocol.

use pnet::{action, actions};
use sample::{Add, Math, Chat, Sum};

#[action("ADD")]
async fn add(p: Add, _peer: pnet::Peer<Chat>) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
