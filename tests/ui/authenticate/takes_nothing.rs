//! It takes no credentials.

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
async fn who(from: &Arrival) -> Result<User, Refused> {
    Ok(User { name: from.addr().to_string() })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
