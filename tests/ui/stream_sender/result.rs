//! The sender is for results, as the protocol declares them.

use pnet::{StreamSender, action, actions};
use sample::{Clock, Denied, Tick, Watch};

#[action("WATCH")]
async fn watch(_p: Watch, out: StreamSender<Result<Tick, Denied>>) -> Result<(), Denied> {
    drop(out);
    Err(Denied)
}

actions! { pub client Ui for Clock: watch }
