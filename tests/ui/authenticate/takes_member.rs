//! It takes the connection's own state, which is not made yet.

use pnet::{Packet, Refused, action, actions, protocol};
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

pub struct Member;

#[action(authenticate)]
async fn who(login: Login, _member: &Member) -> Result<User, Refused> {
    Ok(User { name: login.name })
}

#[action(connect)]
fn joined() -> Member {
    Member
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate(Member): who, joined, ask }
