//! `call` on a packet that is answered with a stream.

use pnet::Client;
use sample::{Clock, Watch};

pub async fn run(handle: Client<Clock>) {
    let _ = handle.call(Watch { count: 1 }).await;
}
