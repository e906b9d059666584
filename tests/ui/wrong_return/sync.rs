//! A `fn` handler returns another packet.

use pnet::{action, actions};
use sample::{Add, Math, Welcome};

#[action("ADD")]
fn add(_p: Add) -> Welcome {
    Welcome { motd: String::new() }
}

actions! { pub server Server for Math: add }
