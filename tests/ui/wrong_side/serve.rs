//! A client's service given to `serve`.

use pnet::{action, actions};
use sample::{Said, Small};

#[action("SAID")]
fn said(_p: Said) {}

actions! { pub client Ui for Small: said }

pub fn run() {
    let _ = pnet::serve(Ui, ());
}
