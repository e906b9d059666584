//! The credentials borrow.

use pnet::protocol;
use sample::gate::Ask;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Word<'a>(&'a str);

protocol! {
    pub Gate {
        credentials Word<'_>;
        client { Ask }
    }
}
