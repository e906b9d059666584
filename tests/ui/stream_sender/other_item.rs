//! The sender is for other items than the protocol declares.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Sum, Watch};

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender<Sum>) -> Result<(), SendError> {
    out.send(Sum { sum: p.count.into() }).await
}

actions! { pub server Server for Clock: watch }
