//! A packet without serde's derives, used everywhere.

use pnet::{Client, Packet, action, actions, protocol};

#[derive(Packet)]
pub struct Move {
    pub x: i32,
}

protocol! {
    pub Net {
        client { Move -> Move }
    }
}

#[action("MOVE")]
fn go(p: Move) -> Move {
    p
}

actions! { pub server Server for Net: go }

pub async fn run(net: Client<Net>) {
    let _ = net.call(Move { x: 1 }).await;
}
