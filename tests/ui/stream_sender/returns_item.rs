//! The handler of a stream returns an item.

use pnet::{StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender<Tick>) -> Tick {
    drop(out);
    Tick { n: p.count }
}

actions! { pub server Server for Clock: watch }
