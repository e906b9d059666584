//! A word that is no side, in `actions!`.

use pnet::{action, actions};
use sample::{Said, Small};

#[action("SAID")]
fn said(_p: Said) {}

actions! { pub peer Ui for Small: said }
