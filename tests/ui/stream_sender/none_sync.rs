//! As before, and not `async` either.

use pnet::{action, actions};
use sample::{Clock, Watch};

#[action("WATCH")]
fn watch(_p: Watch) {}

actions! { pub client Ui for Clock: watch }
