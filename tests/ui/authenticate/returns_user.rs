//! It returns the user, and cannot refuse.

use pnet::{action, actions};
use sample::gate::{Ask, Gate, Login, User};

#[action(authenticate)]
async fn who(login: Login) -> User {
    User { name: login.name }
}

#[action("ASK")]
fn ask(_: Ask, user: &User) {
    let _ = &user.name;
}

actions! { pub server Server for Gate: who, ask }
