//! The sender is for what is no packet.

use pnet::{StreamSender, action, actions};
use sample::{Clock, Watch};

#[action("WATCH")]
async fn watch(_p: Watch, out: StreamSender<u32>) {
    drop(out);
}

actions! { pub server Server for Clock: watch }
