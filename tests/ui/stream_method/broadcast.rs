//! A packet that is answered with a stream is for one peer.

use pnet::Hub;
use sample::{Clock, Watch};

pub async fn run(handle: Hub<Clock>) {
    let _ = handle.broadcast(&Watch { count: 1 });
}
