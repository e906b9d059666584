//! A sender, but no packet.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
async fn watch(out: StreamSender<Tick>) -> Result<(), SendError> {
    out.send(Tick { n: 1 }).await
}

actions! { pub server Server for Clock: watch }
