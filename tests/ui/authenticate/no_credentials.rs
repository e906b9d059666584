//! A handler looks at credentials that the protocol does not have.

use pnet::{Arrival, Refused, action, actions};
use sample::gate::{Ask, Login, Plain, User};

#[action(authenticate)]
async fn who(login: Login, _from: &Arrival) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Plain: who, ask }
