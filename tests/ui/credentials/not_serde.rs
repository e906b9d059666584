//! serde does not know the credentials.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

pub struct Word(String);

protocol! {
    pub Gate {
        credentials Word;
        client { Ask }
    }
}
