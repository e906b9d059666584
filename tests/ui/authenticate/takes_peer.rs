//! It takes the peer, who is not there yet.

use pnet::{Refused, action, actions};
use sample::gate::{Ask, Gate, Login, User};

#[action(authenticate)]
async fn who(login: Login, _peer: pnet::Peer<Gate>) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
