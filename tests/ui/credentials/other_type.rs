//! A client shows something else than the protocol says.

use pnet::actions;
use sample::gate::Gate;

actions! { pub client Client for Gate: }

pub fn connect() {
    let _ = pnet::connect(Client, ()).credentials(&"ada".to_owned());
}
