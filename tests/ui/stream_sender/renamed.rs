//! The sender is imported under another name.

use pnet::{SendError, StreamSender as Out, action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
async fn watch(p: Watch, out: Out<Tick>) -> Result<(), SendError> {
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Clock: watch }
