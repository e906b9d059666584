//! It holds something while it waits that must stay on its thread.

use pnet::{Refused, action, actions};
use sample::gate::{Ask, Gate, Login, User};

#[action(authenticate)]
async fn who(login: Login) -> Result<User, Refused> {
    let name = std::rc::Rc::new(login.name);
    std::future::ready(()).await;
    Ok(User { name: name.to_string() })
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
