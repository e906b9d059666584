//! A `&str` field.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Say<'a> {
    pub text: &'a str,
}
