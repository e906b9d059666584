//! A connect handler whose future is not `Send`.

use std::rc::Rc;

use pnet::{action, actions};
use sample::{Add, Math, Sum};

#[action(connect)]
async fn joined() {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

#[action("ADD")]
async fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

actions! { pub server Server for Math: joined, add }
