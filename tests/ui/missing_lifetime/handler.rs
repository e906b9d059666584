//! A packet with a lifetime as argument, written without.

use pnet::action;
use sample::{Answer, Confirm, Say, Small};

#[action("SAY")]
fn say(_p: Say) {}

pub fn unused(_: (Answer, Confirm, Small)) {}
