//! A protocol declares a view as the answer.

use pnet::{Packet, protocol};
use sample::{Add, Said};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct FixedSaid {
    pub text: &'static str,
}

protocol! {
    pub Net {
        client { Add -> FixedSaid }
    }
}
