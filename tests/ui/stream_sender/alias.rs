//! The sender has another name.

use pnet::{SendError, StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

type Out = StreamSender<Tick>;

#[action("WATCH")]
async fn watch(p: Watch, out: Out) -> Result<(), SendError> {
    out.send(Tick { n: p.count }).await
}

actions! { pub server Server for Clock: watch }
