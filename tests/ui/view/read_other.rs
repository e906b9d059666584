//! A caller reads a view of another packet than the answer.

use std::borrow::Cow;

use pnet::{Client, Packet};
use sample::{Add, Math, Said};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

pub async fn run(math: Client<Math>) {
    let _ = math.call(Add { a: 1, b: 2 }).view::<SaidView<'_>>().read(|said| said.text.len()).await;
}
