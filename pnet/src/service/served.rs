//! A connection of a service: the handlers, with the connect handler before them and the disconnect handler after them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use pnet_protocol::failure::Failure;

use super::{
    Service,
    context::{Cx, Link},
    lanes::Lanes,
};
use crate::{
    connection::Meta,
    driver::dispatch::{Answering, Dispatch, Job, JobKind},
    error::{Closed, Refused},
    unwind::{drop_quietly, panicked},
};

/// The handlers of one connection, for its driver.
pub(crate) struct Served<S: Service> {
    lanes: Lanes<S>,
    joining: Option<Joined<S>>,
    joined: bool,
    leaving: Option<Left>,
    left: bool,
}

type Joined<S> = Pin<Box<dyn Future<Output = Result<<S as Service>::Member, Refused>> + Send>>;
type Left = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

impl<S: Service> Served<S> {
    pub(crate) fn new(link: Arc<Link<S>>, max_places: usize) -> Self {
        Self { lanes: Lanes::new(link, max_places), joining: None, joined: false, leaving: None, left: false }
    }

    /// The handlers without a connection: nobody joins, and nobody leaves.
    #[cfg(feature = "console")]
    pub(crate) fn detached(link: Arc<Link<S>>) -> Self {
        let mut served = Self::new(link, 1);
        served.lanes.release();
        served
    }

    fn cx(&self) -> Cx<S> {
        Cx::new(Arc::clone(self.lanes.link()), Meta::none())
    }

    fn poll_connect(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        let Some(connect) = S::CONNECT else { return Poll::Ready(Ok(())) };
        let cx = self.cx();
        let joining = &mut self.joining;
        let polled = catch_unwind(AssertUnwindSafe(|| joining.get_or_insert_with(|| connect(cx)).as_mut().poll(task)));
        let member = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(member))) => member,
            Ok(Poll::Ready(Err(refused))) => return Poll::Ready(Err(refused)),
            Err(panic) => {
                tracing::error!(failure = %panicked("connect", &*panic).log_text(), "the connect handler failed");
                return Poll::Ready(Err(Refused::new("internal error")));
            }
        };
        let fresh = self.lanes.link().member.set(member).is_ok();
        debug_assert!(fresh, "the connect handler runs once");
        Poll::Ready(Ok(()))
    }
}

/// A driver that is dropped half-way, with its runtime for one, leaves no name in the hub.
impl<S: Service> Drop for Served<S> {
    fn drop(&mut self) {
        if self.joined && !self.left {
            self.lanes.link().shared.hub.remove(self.lanes.link().conn.id);
        }
    }
}

impl<S: Service> Dispatch for Served<S> {
    fn poll_join(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        let done = std::task::ready!(self.poll_connect(task));
        drop_quietly(self.joining.take());
        if done.is_ok() {
            self.joined = true;
            let link = self.lanes.link();
            link.shared.hub.add(&link.conn);
            self.lanes.release();
        }
        Poll::Ready(done)
    }

    fn admit(&mut self, job: &Job, payload: &[u8], waker: &Waker, answering: &mut dyn Answering) {
        self.lanes.admit(job, payload, waker, answering);
    }

    fn poll(&mut self, waker: &Waker, answering: &mut dyn Answering) -> bool {
        self.lanes.poll(waker, answering)
    }

    #[inline]
    fn rest(&mut self) {
        self.lanes.rest();
    }

    fn cancel(&mut self, kind: JobKind) -> bool {
        self.lanes.cancel(kind)
    }

    fn cancel_all(&mut self) {
        drop_quietly(self.joining.take());
        self.lanes.cancel_all();
    }

    fn kill(&mut self) -> usize {
        drop_quietly(self.joining.take());
        self.lanes.kill()
    }

    fn is_idle(&self) -> bool {
        self.lanes.is_idle()
    }

    fn has_queued(&self) -> bool {
        self.lanes.has_queued()
    }

    fn holds(&self) -> usize {
        self.lanes.holds()
    }

    fn poll_leave(&mut self, closed: &Arc<Closed>, task: &mut Context<'_>) -> Poll<()> {
        // Who was never let in does not leave.
        if !self.joined || self.left {
            return Poll::Ready(());
        }
        if self.leaving.is_none() {
            self.lanes.link().shared.hub.remove(self.lanes.link().conn.id);
        }
        if let Some(disconnect) = S::DISCONNECT {
            let cx = self.cx();
            let leaving = &mut self.leaving;
            let polled = catch_unwind(AssertUnwindSafe(|| {
                leaving.get_or_insert_with(|| disconnect(cx, Arc::clone(closed))).as_mut().poll(task)
            }));
            match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(()))) => {}
                Ok(Poll::Ready(Err(failure))) => {
                    tracing::error!(failure = %failure.log_text(), "the disconnect handler failed");
                }
                Err(panic) => {
                    let failure = panicked("disconnect", &*panic);
                    tracing::error!(failure = %failure.log_text(), "the disconnect handler failed");
                }
            }
        }
        drop_quietly(self.leaving.take());
        self.left = true;
        Poll::Ready(())
    }
}
