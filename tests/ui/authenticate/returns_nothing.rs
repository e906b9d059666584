//! It returns nothing.

use pnet::{action, actions};
use sample::gate::{Ask, Gate, Login};

#[action(authenticate)]
async fn who(_: Login) {}

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: who, ask }
