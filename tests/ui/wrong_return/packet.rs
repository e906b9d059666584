//! A handler returns another packet.

use pnet::{action, actions};
use sample::{Add, Math, Welcome};

#[action("ADD")]
async fn add(_p: Add) -> Welcome {
    Welcome { motd: String::new() }
}

actions! { pub server Server for Math: add }
