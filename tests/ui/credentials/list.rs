//! A list follows the word.

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
        credentials { Login }
        client { Ask }
    }
}
