//! A client shows something, and the protocol says nothing of it.

use pnet::actions;
use sample::gate::{Login, Plain};

actions! { pub client Client for Plain: }

pub fn connect(login: &Login) {
    let _ = pnet::connect(Client, ()).credentials(login);
}
