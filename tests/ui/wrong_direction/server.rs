//! The server sends what only answers.

use pnet::Peer;
use sample::{Chat, Sum};

pub async fn run(peer: Peer<Chat>) {
    let _ = peer.send(Sum { sum: 1 }).await;
}
