//! A type of one's own has the name of the sender.

use pnet::{action, actions};
use sample::{Clock, Watch};

pub struct StreamSender<T>(T);

#[action("WATCH")]
async fn watch(_p: Watch, out: StreamSender<u8>) {
    drop(out);
}

actions! { pub server Server for Clock: watch }
