//! `Bytes` without `#[serde(borrow)]`.
//! Two errors: serde's derive reports the lifetime, too.

use pnet::{Bytes, Packet};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Blob<'a> {
    pub data: Bytes<'a>,
}
