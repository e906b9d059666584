//! Three arguments that the service does not have.
//! Three mistakes, three errors.

use pnet::{action, actions};
use sample::{Add, Chat, Math, Sum};

pub struct App;

#[action("ADD")]
async fn add(p: Add, _peer: pnet::Peer<Chat>, _app: &App, _number: u8) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
