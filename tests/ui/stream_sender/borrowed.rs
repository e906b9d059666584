//! The sender is borrowed.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
async fn watch(p: Watch, out: &StreamSender<Tick>) -> Result<(), SendError> {
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Clock: watch }
