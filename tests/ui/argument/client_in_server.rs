//! A server's handler takes a `Client`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
async fn add(p: Add, _chat: pnet::Client<Math>) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
