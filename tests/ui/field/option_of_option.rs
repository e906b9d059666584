//! An option that JSON cannot tell from another.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Set {
    pub name: Option<Option<String>>,
}
