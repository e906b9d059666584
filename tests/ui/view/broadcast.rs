//! A view is sent, not answered with.

use pnet::{Client, Packet};
use sample::{Said, Small};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: &'a str,
}

pub async fn run(small: Client<Small>) {
    let _ = small.send(SaidView { text: "hi" }).await;
}
