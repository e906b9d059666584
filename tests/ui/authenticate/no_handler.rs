//! Nobody looks at what clients show.

use pnet::{action, actions};
use sample::gate::{Ask, Gate};

#[action("ASK")]
fn ask(_: Ask) {}

actions! { pub server Server for Gate: ask }
