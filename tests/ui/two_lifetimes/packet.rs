//! A packet with two lifetimes.

use std::borrow::Cow;

use pnet::Packet;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Say<'a, 'b> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    #[serde(borrow)]
    pub to: Cow<'b, str>,
}
