//! A client's service says who somebody is.

use pnet::{Arrival, Refused, action, actions};
use sample::gate::{Gate, Login, User};

#[action(authenticate)]
async fn who(login: Login, _from: &Arrival) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

actions! { pub client Client for Gate: who }
