//! `stream` on a packet that is answered once, on a server.

use pnet::Peer;
use sample::{Chat, Confirm};

pub async fn run(handle: Peer<Chat>) {
    let _ = handle.stream(Confirm).next().await;
}
