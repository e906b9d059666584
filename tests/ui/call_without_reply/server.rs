//! `call` on a push.

use pnet::Peer;
use sample::{Chat, Said};

pub async fn run(peer: Peer<Chat>) {
    let _ = peer.call(Said { text: String::new() }).await;
}
