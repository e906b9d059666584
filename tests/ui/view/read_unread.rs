//! A caller reads a view that serde cannot read.

use pnet::{Client, Packet};
use sample::{Add, Math, Sum};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Sum)]
pub struct SumView {
    pub sum: i64,
}

pub async fn run(math: Client<Math>) {
    let _ = math.call(Add { a: 1, b: 2 }).view::<SumView>().read(|sum| sum.sum).await;
}
