//! Something stands beside the word.

use pnet::{Refused, action, actions};
use sample::gate::{Ask, Gate, Login, User};

#[action(authenticate, concurrent)]
async fn who(login: Login) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
