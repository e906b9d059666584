//! It takes other credentials than the protocol says.

use pnet::{Refused, action, actions};
use sample::gate::{Ask, Gate, User};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Ticket(u32);

#[action(authenticate)]
async fn who(ticket: Ticket) -> Result<User, Refused> {
    Ok(User { name: ticket.0.to_string() })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
