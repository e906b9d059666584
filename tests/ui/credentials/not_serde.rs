//! serde does not know the credentials.

use pnet::protocol;
use sample::gate::Ask;

pub struct Word(String);

protocol! {
    pub Gate {
        credentials Word;
        client { Ask }
    }
}
