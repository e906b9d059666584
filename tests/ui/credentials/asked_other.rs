//! A client is asked for something else than the protocol says.

use pnet::actions;
use sample::gate::Gate;

actions! { pub client Client for Gate: }

pub fn connect() {
    let _ = pnet::connect(Client, ()).credentials_with(async || 5_u32);
}
