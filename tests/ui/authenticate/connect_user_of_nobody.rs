//! A connect handler takes a user that nobody makes.

use pnet::{action, actions};
use sample::gate::{Ask, Plain, User};

#[action(connect)]
async fn joined(_user: &User) {}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Plain: joined, ask }
