//! A sender in the handler of a packet that is answered once.

use pnet::{StreamSender, action, actions};
use sample::{Add, Math, Sum};

#[action("ADD")]
async fn add(p: Add, out: StreamSender<Sum>) -> Sum {
    drop(out);
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: add }
