//! The handler of a stream has nothing to send its items with.

use pnet::{action, actions};
use sample::{Clock, Watch};

#[action("WATCH")]
async fn watch(_p: Watch) {}

actions! { pub server Server for Clock: watch }
