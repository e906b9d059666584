//! `stream` on a packet that is answered once.

use pnet::Client;
use sample::{Add, Math};

pub async fn run(handle: Client<Math>) {
    let _ = handle.stream(Add { a: 1, b: 2 }).next().await;
}
