//! A sender in a disconnect handler.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action(disconnect)]
fn left(out: StreamSender<Tick>) {
    drop(out);
}

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender<Tick>) -> Result<(), SendError> {
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Clock: left, watch }
