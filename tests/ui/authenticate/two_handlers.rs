//! Two handlers say who a client is.

use pnet::{Arrival, Refused, action, actions};
use sample::gate::{Ask, Gate, Login, User};

#[action(authenticate)]
async fn who(login: Login, _from: &Arrival) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

#[action(authenticate)]
async fn again(login: Login) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, again, ask }
