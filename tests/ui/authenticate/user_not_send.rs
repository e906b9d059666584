//! The user has to stay on its thread.

use pnet::{Refused, action, actions};
use sample::gate::{Ask, Gate, Login};

pub struct Local(std::rc::Rc<str>);

#[action(authenticate)]
fn who(login: Login) -> Result<Local, Refused> {
    Ok(Local(login.name.into()))
}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
