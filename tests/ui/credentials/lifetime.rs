//! The credentials borrow.

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

#[derive(Serialize, Deserialize)]
pub struct Word<'a>(&'a str);

protocol! {
    pub Gate {
        credentials Word<'_>;
        client { Ask }
    }
}
