//! A type with a lifetime, without `#[serde(borrow)]`: serde's own words follow, since it sees none either.

use pnet::{Packet, Schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Schema, Serialize, Deserialize)]
pub struct Line<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Lines<'a> {
    pub first: Option<Line<'a>>,
}
