//! A `Cow` that does not borrow.

use std::borrow::Cow;

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Say<'a> {
    pub text: Cow<'a, str>,
}
