//! Nothing ends it.

use pnet::protocol;
use sample::gate::{Ask, Login};

protocol! {
    pub Gate {
        credentials Login
        client { Ask }
    }
}
