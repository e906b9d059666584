//! `send` on a packet that is answered, on a server.

use pnet::Peer;
use sample::{Chat, Confirm};

pub async fn run(peer: Peer<Chat>) {
    let _ = peer.send(Confirm).await;
}
