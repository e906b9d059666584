//! A client lists the handler of what servers never send; async, with arguments.

use pnet::{Client, action, actions};
use sample::{Said, Small, Sum};

#[action("SAID")]
fn said(_p: Said) {}

#[action("SUM")]
async fn sum(_p: Sum, _me: Client<Small>) {}

actions! { pub client Ui for Small: said, sum }
