//! A stream's handler ends it with a view of another packet than the declared error.

use pnet::{Packet, StreamSender, action, actions};
use sample::{Clock, Said, Tick, Watch};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: &'a str,
}

#[action("WATCH")]
async fn watch<'a>(_p: Watch, out: StreamSender<Tick>, app: &'a String) -> Result<(), SaidView<'a>> {
    drop(out);
    Err(SaidView { text: app })
}

actions! { pub client Ui(String) for Clock: watch }
