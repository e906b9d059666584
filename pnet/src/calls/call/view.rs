//! Calls whose answers are read where they lie.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use pnet_protocol::{packet::Packet, reply::Reply, view::View};

use super::Calling;
use crate::error::CallError;

/// A call whose answer is read as view `V`; what [`Calling::view`] returns. It is made once [`read`](Self::read) says for what.
#[must_use = "a call is made when what `read` returns is awaited"]
pub struct CallView<R: Reply, V: View> {
    call: Calling<R>,
    view: PhantomData<fn() -> V>,
}

impl<R: Reply, V: View> CallView<R, V> {
    pub(super) const fn new(call: Calling<R>) -> Self {
        Self { call, view: PhantomData }
    }

    /// Makes the call, and lets `read` look at its answer; what that returns is what the call returns. `read` runs once, in the
    /// task that waits, and under no lock.
    pub fn read<T, F: FnOnce(V::At<'_>) -> T>(self, read: F) -> Viewing<R, V, F> {
        Viewing { call: self.call, view: PhantomData, read: Some(read) }
    }
}

/// A call that waits for its answer, to read it as a view; what [`CallView::read`] returns.
///
/// # Cancel safety
///
/// As that of [`Calling`]: dropping it cancels the call.
#[must_use = "a call is made when this is awaited"]
pub struct Viewing<R: Reply, V: View, F> {
    call: Calling<R>,
    view: PhantomData<fn() -> V>,
    /// There until it has run.
    read: Option<F>,
}

impl<R: Reply, V: View, F> Unpin for Viewing<R, V, F> {}

impl<R: Reply, V: View, T, F: FnOnce(V::At<'_>) -> T> Future for Viewing<R, V, F> {
    type Output = Result<T, CallError<R::Err>>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { call, read, .. } = &mut *self;
        call.poll_with(task, |codec, payload| {
            let view = V::DECODE(codec.unwrap_or(<V::Of as Packet>::CODEC), payload)?;
            let read = read.take().expect("a call is answered once");
            Ok(read(view))
        })
    }
}

impl<R: Reply, V: View> fmt::Debug for CallView<R, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallView").field("connection", &self.call.asking.conn().id).finish_non_exhaustive()
    }
}

impl<R: Reply, V: View, F> fmt::Debug for Viewing<R, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewing").field("connection", &self.call.asking.conn().id).finish_non_exhaustive()
    }
}
