//! A protocol has two kinds of credentials.

use pnet::{Packet, protocol};
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
        credentials String;
        client { Ask }
    }
}
