//! A caller reads a view with a reference, which JSON cannot always lend.

use pnet::{Client, Packet, protocol};
use sample::{Said, Say};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: &'a str,
}

protocol! {
    pub Net {
        client { Say<'_> -> Said }
    }
}

pub async fn run(net: Client<Net>) {
    let _ = net.call(Say { text: "hi".into() }).view::<SaidView<'_>>().read(|said| said.text.len()).await;
}
