//! The client sends what only the server sends.

use pnet::Client;
use sample::{Chat, Said};

pub async fn run(chat: Client<Chat>) {
    let _ = chat.send(Said { text: String::new() }).await;
}
