//! Panics of what users have given to run: they end here, as a failure or a refusal.

pub(crate) mod hook;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use pnet_protocol::failure::Failure;

/// The failure of a handler that panicked; the text is for the log only.
pub(crate) fn panicked(handler: &str, panic: &(dyn Any + Send)) -> Failure {
    #[cfg(feature = "console")]
    if panic.is::<NeedsPeer>() {
        return needs_peer(handler);
    }
    let text = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    Failure::internal(format!("handler `{handler}` panicked: {text}"))
}

/// Drops what a panic has left behind; a second panic ends here.
pub(crate) fn drop_quietly<T>(value: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

/// What a handler unwinds with that touches a peer it has not. No panic: no hook sees it, and nothing was broken.
#[cfg(feature = "console")]
#[derive(Debug)]
pub(crate) struct NeedsPeer;

/// The failure of a handler that has unwound like this.
#[cfg(feature = "console")]
pub(crate) fn needs_peer(handler: &str) -> Failure {
    Failure::public(NEEDS_PEER, format!("handler `{handler}` needs a peer"))
}

/// Its code, which no other side ever sees.
#[cfg(feature = "console")]
pub(crate) const NEEDS_PEER: &str = "needs-peer";
