//! A handler that returns something else than declared, in a result.

use pnet::{action, actions};
use sample::{Chat, Login, Welcome};

use pnet::Failure;

#[action("LOGIN")]
async fn login(_p: Login) -> Result<Login, Failure> {
    Err(Failure::internal("never"))
}

#[action("SAY")]
fn say(_p: sample::Say<'_>) {}

#[action("ADD")]
fn add(_p: sample::Add) -> Result<sample::Sum, Failure> {
    Err(Failure::internal("never"))
}

pub fn unused(_: Welcome) {}

actions! { pub server Server for Chat: login, say, add }
