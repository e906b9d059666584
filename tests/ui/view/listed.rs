//! A protocol lists a view.

use std::borrow::Cow;

use pnet::{Packet, protocol};
use sample::{Add, Said};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: Cow<'a, str>,
}

protocol! {
    pub Net {
        client { Add -> Said, SaidView<'_> }
    }
}
