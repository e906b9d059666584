//! The sender does not say what it sends.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender) -> Result<(), SendError> {
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Clock: watch }
