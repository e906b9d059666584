//! It holds something while it waits that must stay on its thread.

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

#[action(authenticate)]
async fn who(login: Login) -> Result<User, Refused> {
    let name = std::rc::Rc::new(login.name);
    std::future::ready(()).await;
    Ok(User { name: name.to_string() })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
