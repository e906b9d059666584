//! A `&str` inside of a field.

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Say<'a> {
    #[serde(borrow)]
    pub text: Option<&'a str>,
}
