//! The handler of a stream returns the items, and takes no sender.

use pnet::{action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
async fn watch(p: Watch) -> Vec<Tick> {
    (0..p.count).map(|n| Tick { n }).collect()
}

actions! { pub server Server for Clock: watch }
