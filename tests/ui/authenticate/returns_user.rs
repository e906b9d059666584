//! It returns the user, and cannot refuse.

use pnet::{Packet, action, actions, protocol};
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
async fn who(login: Login) -> User {
    User { name: login.name }
}

#[action("ASK")]
fn ask(_: Ask, user: &User) {
    let _ = &user.name;
}

actions! { pub server Server for Gate: who, ask }
