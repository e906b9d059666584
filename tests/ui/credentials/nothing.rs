//! No type follows the word.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

protocol! {
    pub Gate {
        credentials;
        client { Ask }
    }
}
