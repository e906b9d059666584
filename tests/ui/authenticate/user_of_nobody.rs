//! A handler takes a user that nobody makes.

use pnet::{action, actions};
use sample::gate::{Ask, Plain, User};

#[action("ASK")]
fn ask(_: Ask, user: &User) {
    let _ = &user.name;
}

actions! { pub server Server for Plain: ask }
