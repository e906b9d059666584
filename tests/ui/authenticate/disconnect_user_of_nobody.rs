//! A disconnect handler takes a user that nobody makes.

use pnet::{action, actions};
use sample::gate::{Ask, Plain, User};

#[action(disconnect)]
fn left(_user: &User) {}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Plain: left, ask }
