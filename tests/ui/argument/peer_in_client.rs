//! A client's handler takes a `Peer`.

use pnet::{action, actions};
use sample::{Said, Small};

#[action("SAID")]
fn said(_p: Said, _peer: pnet::Peer<Small>) {}

actions! { pub client Ui for Small: said }
