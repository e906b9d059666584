//! The handler of a stream fails with what is neither declared nor a failure.

use pnet::{StreamSender, action, actions};
use sample::{Clock, Tick, Watch};

pub struct Odd;

#[action("WATCH")]
async fn watch(_p: Watch, out: StreamSender<Tick>) -> Result<(), Odd> {
    drop(out);
    Err(Odd)
}

actions! { pub server Server for Clock: watch }
