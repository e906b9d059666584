//! It takes no credentials.

use pnet::{Arrival, Refused, action, actions};
use sample::gate::{Ask, Gate, User};

#[action(authenticate)]
async fn who(from: &Arrival) -> Result<User, Refused> {
    Ok(User { name: from.addr().to_string() })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
