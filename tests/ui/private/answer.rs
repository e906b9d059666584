//! A private answer in a `pub` protocol.

use pnet::{Packet, protocol};
use sample::Add;
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
struct Sum;

protocol! {
    pub Net {
        client { Add -> Sum }
    }
}
