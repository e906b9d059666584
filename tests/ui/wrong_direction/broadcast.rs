//! The server broadcasts what only the client sends.

use pnet::Hub;
use sample::{Chat, Say};

pub fn run(hub: &Hub<Chat>) {
    hub.broadcast(&Say { text: "hi".into() });
}
