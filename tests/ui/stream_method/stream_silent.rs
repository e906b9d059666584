//! `stream` on a packet that nothing answers.

use pnet::Client;
use sample::{Small, Sum};

pub async fn run(handle: Client<Small>) {
    let _ = handle.stream(Sum { sum: 1 }).next().await;
}
