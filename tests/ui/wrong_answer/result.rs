//! The result of a call is not what the protocol declares.

use pnet::Client;
use sample::{Add, Math, Welcome};

pub async fn run(math: Client<Math>) {
    let _: Welcome = math.call(Add { a: 1, b: 2 }).await.unwrap();
}
