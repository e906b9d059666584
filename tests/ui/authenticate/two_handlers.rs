//! Two handlers say who a client is.

use pnet::{Arrival, Packet, Refused, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

#[derive(Serialize, Deserialize)]
pub struct Login {
    name: String,
}

pub struct User {
    name: String,
}

protocol! {
    pub Gate {
        credentials Login;
        client { Ask }
    }
}

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
