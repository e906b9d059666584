//! `stream` on what the other side sends.

use pnet::Client;
use sample::{Chat, Confirm};

pub async fn run(handle: Client<Chat>) {
    let _ = handle.stream(Confirm).next().await;
}
