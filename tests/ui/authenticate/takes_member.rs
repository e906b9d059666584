//! It takes the connection's own state, which is not made yet.

use pnet::{Refused, action, actions};
use sample::gate::{Ask, Gate, Login, User};

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
