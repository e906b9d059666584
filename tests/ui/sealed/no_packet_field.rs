//! A field is sealed, and what is in it is no packet.

use pnet::{Packet, Sealed};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Deliver {
    pub letter: Sealed<String>,
}
