//! Two senders.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender<Tick>, other: StreamSender<Tick>) -> Result<(), SendError> {
    drop(other);
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Clock: watch }
