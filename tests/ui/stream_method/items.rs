//! The items are of another type than is declared.

use pnet::Client;
use sample::{Clock, Watch};

pub async fn run(handle: Client<Clock>) {
    let mut ticks = handle.stream(Watch { count: 1 });
    while let Some(Ok(tick)) = ticks.next().await {
        let _: u32 = tick;
    }
}
