//! It takes other credentials than the protocol says.

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

#[derive(Serialize, Deserialize)]
pub struct Ticket(u32);

#[action(authenticate)]
async fn who(ticket: Ticket) -> Result<User, Refused> {
    Ok(User { name: ticket.0.to_string() })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
