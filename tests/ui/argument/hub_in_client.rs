//! A client's handler takes a `Hub`.

use pnet::{action, actions};
use sample::{Said, Small};

#[action("SAID")]
async fn said(_p: Said, _hub: pnet::Hub<Small>) {}

actions! { pub client Ui for Small: said }
