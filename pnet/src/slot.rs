//! The reusable place in which an `async fn` handler runs.
//!
//! The handler's future owns its surroundings and its frame, decodes inside (so a packet may borrow from the frame without
//! `unsafe`), and gives both back. The box stays where it is and takes the next future of the same handler.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    context::Cx,
    handler::Task,
    service::{Finished, Service, Slot},
};

/// An empty slot for handler `H`. A `fn` of this shape is what a route holds.
pub fn slot<S: Service, H: Task<S, M> + 'static, M: 'static>() -> Box<dyn Slot<S>> {
    // The future's type is inferred from the function and never named.
    fn kept<S: Service, F: Future<Output = Finished<S>> + Send + 'static>(
        make: fn(Cx<S>, Vec<u8>) -> F,
    ) -> Box<dyn Slot<S>> {
        Box::new(Kept { make, future: Box::pin(None) })
    }
    kept(H::run)
}

struct Kept<S: Service, F> {
    make: fn(Cx<S>, Vec<u8>) -> F,
    future: Pin<Box<Option<F>>>,
}

impl<S: Service, F: Future<Output = Finished<S>> + Send> Slot<S> for Kept<S, F> {
    fn start(&mut self, cx: Cx<S>, frame: Vec<u8>) {
        self.future.set(Some((self.make)(cx, frame)));
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Finished<S>> {
        let Some(future) = self.future.as_mut().as_pin_mut() else { is_empty() };
        let finished = future.poll(task);
        if finished.is_ready() {
            self.future.set(None);
        }
        finished
    }

    fn clear(&mut self) {
        self.future.set(None);
    }
}

#[cold]
fn is_empty() -> ! {
    panic!("a slot is polled only after it was started")
}
