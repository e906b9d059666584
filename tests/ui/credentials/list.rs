//! A list follows the word.

use pnet::protocol;
use sample::gate::{Ask, Login};

protocol! {
    pub Gate {
        credentials { Login }
        client { Ask }
    }
}
