//! A handler takes another user than the one that is made.

use pnet::{Arrival, Refused, action, actions};
use sample::gate::{Ask, Gate, Login, User};

#[action(authenticate)]
async fn who(login: Login, _from: &Arrival) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

pub struct Admin;

#[action("ASK")]
fn ask(_: Ask, _admin: &Admin) {}

actions! { pub server Server for Gate: who, ask }
