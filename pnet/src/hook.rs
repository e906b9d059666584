//! Runs what a user has given to decide about a connection, so that a panic in it is a refusal.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use crate::{connection::lanes::panicked, error::Refused};

/// What a hook's function returns, whatever its type.
pub(crate) type Hooked<T = ()> = Pin<Box<dyn Future<Output = Result<T, Refused>> + Send>>;

/// Runs a hook; `name` is what its user calls it, and `panicking` is what it refuses with if it panics.
///
/// # Cancel safety
///
/// Dropped before it is ready, the hook's future is dropped.
pub(crate) async fn run<T>(name: &str, panicking: Refused, hook: impl FnOnce() -> Hooked<T>) -> Result<T, Refused> {
    let failed = |panic: Box<dyn Any + Send>| {
        tracing::error!(failure = %panicked(name, &*panic).log_text(), "a hook failed");
        panicking.clone()
    };
    let mut hooked = catch_unwind(AssertUnwindSafe(hook)).map_err(failed)?;
    let done = poll_fn(|task| match catch_unwind(AssertUnwindSafe(|| hooked.as_mut().poll(task))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    done.await.map_err(failed)?
}
