//! A connect handler takes a user that nobody makes.

use pnet::{Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

pub struct User {
    name: String,
}

protocol! {
    pub Plain {
        client { Ask }
    }
}

#[action(connect)]
async fn joined(_user: &User) {}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Plain: joined, ask }
