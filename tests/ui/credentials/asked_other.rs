//! A client is asked for something else than the protocol says.

use pnet::{Packet, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

#[derive(Serialize, Deserialize)]
pub struct Login {
    name: String,
}

protocol! {
    pub Gate {
        credentials Login;
        client { Ask }
    }
}

actions! { pub client Client for Gate: }

pub fn connect() {
    let _ = pnet::connect(Client, ()).credentials_with(async || 5_u32);
}
