//! Handlers answer with a view of another packet than the protocol declares.

use pnet::{Failure, Packet, action, actions};
use sample::{Add, Math, Said};
use serde::Serialize;

#[derive(Packet, Serialize)]
#[packet(view_of = Said)]
pub struct SaidView<'a> {
    pub text: &'a str,
}

#[action("ADD")]
fn add<'a>(_p: Add, app: &'a String) -> SaidView<'a> {
    SaidView { text: app }
}

#[action("ADD")]
async fn add_later<'a>(_p: Add, app: &'a String) -> Result<SaidView<'a>, Failure> {
    Ok(SaidView { text: app })
}

actions! { pub server Server(String) for Math: add }
actions! { pub server Later(String) for Math: add_later }
