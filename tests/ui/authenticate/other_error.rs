//! Its error is none that becomes a refusal.

use pnet::{action, actions};
use sample::gate::{Ask, Gate, Login, User};

#[action(authenticate)]
async fn who(login: Login) -> Result<User, u32> {
    Ok(User { name: login.name })
}

#[action("ASK")]
fn ask(_: Ask, user: &User) {
    let _ = &user.name;
}

actions! { pub server Server for Gate: who, ask }
