//! A client shows something, and the protocol says nothing of it.

use pnet::{Packet, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

#[derive(Serialize, Deserialize)]
pub struct Login {
    name: String,
}

protocol! {
    pub Plain {
        client { Ask }
    }
}

actions! { pub client Client for Plain: }

pub fn connect(login: &Login) {
    let _ = pnet::connect(Client, ()).credentials(login);
}
