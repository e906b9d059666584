//! `call` on a packet that is answered with a stream, on a server.

use pnet::Peer;
use sample::{Clock, Watch};

pub async fn run(handle: Peer<Clock>) {
    let _ = handle.call(Watch { count: 1 }).await;
}
