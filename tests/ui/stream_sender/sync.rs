//! The handler of a stream is no `async fn`.

use pnet::{StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

#[action("WATCH")]
fn watch(p: Watch, out: StreamSender<Tick>) {
    let _ = out.try_send(Tick { n: p.count });
}

actions! { pub server Server for Clock: watch }
