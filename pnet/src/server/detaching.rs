//! Running handlers without a peer, for a server's operators.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::Core;
use crate::{
    connection::{Conn, MAX_RUNS},
    driver::{detached::Detached, dispatch::Dispatch},
    service::{
        Service,
        context::{Link, Shared},
        served::Served,
    },
};

/// What a server keeps so that its operators can run handlers without a peer.
#[derive(Debug)]
pub(crate) struct Detaching {
    /// Nothing is kept by it: the state may hold a handle on its server.
    service: Weak<dyn Detach>,
    pub(crate) call_timeout: Option<Duration>,
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

/// Why nobody runs a handler without a peer.
#[derive(Debug)]
pub(crate) enum NotDriven {
    GoingAway,
    /// So many are running.
    Busy(usize),
    /// There are no handlers to be run so.
    Dropped,
}

impl Core {
    /// Runs what was left on a detached connection, by a task of the server.
    pub(crate) fn drive(&self, conn: &Arc<Conn>) -> Result<(), NotDriven> {
        let detaching = self.detaching.get().filter(|_| !self.stop.is_cancelled()).ok_or(NotDriven::GoingAway)?;
        let (service, runtime) = detaching.service.upgrade().zip(self.runtime.get()).ok_or(NotDriven::GoingAway)?;
        let place = Arc::clone(&detaching.places).try_acquire_owned().map_err(|_| NotDriven::Busy(MAX_RUNS))?;
        let run = Detached::new(Arc::clone(conn), service.dispatch(conn));
        let cut = self.cut.clone();
        // Among the server's tasks: a shutdown waits for it, and cuts it off.
        self.tasks.spawn_on(
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
