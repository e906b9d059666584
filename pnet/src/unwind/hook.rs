//! Runs what a user has given to decide about a connection, so that a panic in it is a refusal.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use super::{drop_quietly, panicked};
use crate::error::Refused;

/// What a hook's function returns, whatever its type.
pub(crate) type Hooked<T = (), E = Refused> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A hook has panicked, which is in the log. What comes of that is for its caller to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;

/// Runs a hook; `name` is what its user calls it.
///
/// # Cancel safety
///
/// Dropped before it is ready, the hook's future is dropped.
pub(crate) async fn run<T, E>(name: &str, hook: impl FnOnce() -> Hooked<T, E>) -> Result<Result<T, E>, Panicked> {
    let done = match catch_unwind(AssertUnwindSafe(hook)) {
        Ok(hooked) => {
            let mut running = RunningHook { name, hooked: Some(hooked) };
            poll_fn(|task| {
                let Some(hooked) = &mut running.hooked else { return Poll::Pending };
                match catch_unwind(AssertUnwindSafe(|| hooked.as_mut().poll(task))) {
                    Ok(polled) => polled.map(Ok),
                    Err(panic) => Poll::Ready(Err(panic)),
                }
            })
            .await
        }
        Err(panic) => Err(panic),
    };
    done.map_err(|panic| {
        failed(name, panic);
        Panicked
    })
}

/// A hook's future, which may panic when it is dropped, too.
struct RunningHook<'a, T, E> {
    name: &'a str,
    hooked: Option<Hooked<T, E>>,
}

impl<T, E> Drop for RunningHook<'_, T, E> {
    fn drop(&mut self) {
        let hooked = self.hooked.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(hooked))) {
            failed(self.name, panic);
        }
    }
}

#[cold]
fn failed(name: &str, panic: Box<dyn Any + Send>) {
    tracing::error!(failure = %panicked(name, &*panic).log_text(), "a hook failed");
    // It may be anything.
    drop_quietly(panic);
}
