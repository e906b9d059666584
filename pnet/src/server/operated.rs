//! What an operator does to a server.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{
    ending::{Ending, Plan},
    inspected::Target,
};
use crate::{
    connection::{Conn, MAX_RUNS, driver::Dispatch, operated::Detached, served::Served},
    context::{Link, Shared},
    hub::HubCore,
    operate::{Drained, Draining, Operated, TriggerError},
    service::Service,
};

/// What a server keeps so that its operators can run handlers without a peer.
#[derive(Debug)]
pub(super) struct Detaching {
    /// Nothing is kept by it: the state may hold a handle on its server.
    service: Weak<dyn Detach>,
    call_timeout: Option<Duration>,
    places: Arc<Semaphore>,
}

/// The handlers of a service, whatever it is.
trait Detach: Send + Sync {
    /// The handlers, for a connection that nobody is at the other end of.
    fn dispatch(self: Arc<Self>, conn: &Arc<Conn>) -> Box<dyn Dispatch>;
}

impl<S: Service> Detach for Shared<S> {
    fn dispatch(self: Arc<Self>, conn: &Arc<Conn>) -> Box<dyn Dispatch> {
        let link = Link { shared: self, conn: Arc::clone(conn), user: None, member: OnceLock::new() };
        Box::new(Served::detached(Arc::new(link)))
    }
}

impl Detaching {
    pub(super) fn new<S: Service>(shared: &Arc<Shared<S>>, call_timeout: Option<Duration>) -> Self {
        let service: Weak<Shared<S>> = Arc::downgrade(shared);
        Self { service, call_timeout, places: Arc::new(Semaphore::new(MAX_RUNS)) }
    }
}

impl Operated for Target {
    fn hub(&self) -> Option<Arc<HubCore>> {
        Some(Arc::clone(&self.hub))
    }

    fn drain(&self, grace: Duration) -> Draining<'_> {
        let end = Ending::begin_or_hurry(&self.core, Plan::within(grace));
        Box::pin(async { Drained::Server(end.wait().await) })
    }

    fn stop(&self) {
        drop(Ending::begin_or_hurry(&self.core, Plan::now()));
    }

    fn call_timeout(&self) -> Option<Duration> {
        self.core.detaching.get().and_then(|detaching| detaching.call_timeout)
    }

    fn drive(&self, conn: &Arc<Conn>) -> Result<(), TriggerError> {
        let core = &self.core;
        let detaching = core.detaching.get().filter(|_| !core.stop.is_cancelled()).ok_or(TriggerError::GoingAway)?;
        let (service, runtime) = detaching.service.upgrade().zip(core.runtime.get()).ok_or(TriggerError::GoingAway)?;
        let place = Arc::clone(&detaching.places).try_acquire_owned().map_err(|_| TriggerError::Busy(MAX_RUNS))?;
        let run = Detached::new(Arc::clone(conn), service.dispatch(conn));
        let cut = core.cut.clone();
        // Among the server's tasks: a shutdown waits for it, and cuts it off.
        core.tasks.spawn_on(
            async move {
                tokio::select! {
                    biased;
                    () = cut.cancelled() => {}
                    () = run => {}
                }
                drop(place);
            },
            runtime,
        );
        Ok(())
    }
}
