//! A future that is not `Send`.

use pnet::{action, actions};
use sample::{Add, Math, Sum};

use std::rc::Rc;

#[action("ADD")]
async fn add(p: Add) -> Sum {
    let shared = Rc::new(p.a);
    std::future::ready(()).await;
    Sum { sum: *shared + p.b }
}

actions! { pub server Server for Math: add }
