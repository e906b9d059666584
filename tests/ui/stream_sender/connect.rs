//! A sender in a connect handler.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action(connect)]
async fn joined(out: StreamSender<Tick>) {
    drop(out);
}

#[action("WATCH")]
async fn watch(p: Watch, out: StreamSender<Tick>) -> Result<(), SendError> {
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Clock: joined, watch }
