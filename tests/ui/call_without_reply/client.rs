//! `call` on a packet that nothing answers.

use pnet::Client;
use sample::{Chat, Say};

pub async fn run(chat: Client<Chat>) {
    let _ = chat.call(Say { text: "hi".into() }).await;
}
