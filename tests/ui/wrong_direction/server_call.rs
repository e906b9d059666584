//! The server calls what only the client sends.

use pnet::Peer;
use sample::{Add, Chat};

pub async fn run(peer: Peer<Chat>) {
    let _ = peer.call(Add { a: 1, b: 2 }).await;
}
