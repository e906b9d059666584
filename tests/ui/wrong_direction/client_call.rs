//! The client calls what only the server sends.

use pnet::Client;
use sample::{Chat, Confirm};

pub async fn run(chat: Client<Chat>) {
    let _ = chat.call(Confirm).await;
}
