//! `send` on a packet that is answered.

use pnet::Client;
use sample::{Add, Chat};

pub async fn run(chat: Client<Chat>) {
    let _ = chat.send(Add { a: 1, b: 2 }).await;
}
