//! A sender in the handler of a packet that nothing answers.

use pnet::{StreamSender, action, actions};
use sample::{Said, Small, Sum};

#[action("SAID")]
async fn said(_p: Said, out: StreamSender<Sum>) {
    drop(out);
}

actions! { pub client Ui for Small: said }
