//! The user has to stay on its thread.

use pnet::{Packet, Refused, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Ask {}

#[derive(Serialize, Deserialize)]
pub struct Login {
    name: String,
}

protocol! {
    pub Gate {
        credentials Login;
        client { Ask }
    }
}

pub struct Local(std::rc::Rc<str>);

#[action(authenticate)]
fn who(login: Login) -> Result<Local, Refused> {
    Ok(Local(login.name.into()))
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
