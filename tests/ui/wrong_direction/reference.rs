//! A reference to a packet instead of the packet.

use pnet::Client;
use sample::{Add, Chat};

pub async fn run(chat: Client<Chat>) {
    let add = Add { a: 1, b: 2 };
    let _ = chat.call(&add).await;
}
