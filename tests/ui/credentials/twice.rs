//! A protocol has two kinds of credentials.

use pnet::protocol;
use sample::gate::{Ask, Login};

protocol! {
    pub Gate {
        credentials Login;
        credentials String;
        client { Ask }
    }
}
