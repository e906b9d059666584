//! Servers: accept transports, shake hands, run a driver for each connection, and end all of it in good order.

mod accept;
mod admission;
mod authentication;
mod builder;
mod config;
#[cfg(feature = "console")]
pub(crate) mod detaching;
pub(crate) mod ending;
mod greet;
mod handle;
#[cfg(feature = "inspect")]
mod observed;
mod penalties;
mod serving;
#[cfg(feature = "tls")]
mod tls;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::AtomicUsize},
    time::Duration,
};

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::ending::Ending;
pub use self::{
    builder::{ServerBuilder, serve},
    ending::Shutdown,
    handle::{Server, ServerHandle},
};
use crate::{
    connection::{
        budget::{Budget, Live},
        half_open::WaitingRoom,
        registry::Roll,
    },
    counts::Counts,
    transport::tls::Acceptor,
};

/// What belongs to a server whatever its service.
#[derive(Debug, Default)]
pub(crate) struct Core {
    /// Every open connection, joined or not.
    pub(crate) live: Mutex<Roll>,
    pub(crate) waiting: Arc<WaitingRoom>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// The shutdown that has begun.
    pub(crate) ending: Mutex<Option<Ending>>,
    /// Its grace is nearly over: whatever is left has to go.
    pub(crate) cut: CancellationToken,
    /// It is done.
    pub(crate) over: CancellationToken,
    /// Where its tasks run.
    pub(crate) runtime: OnceLock<Handle>,
    /// Does the handshakes of TLS.
    pub(crate) acceptor: OnceLock<Arc<Acceptor>>,
    /// When clients are told to come back after a shutdown, at the earliest.
    pub(crate) come_back: OnceLock<Duration>,
    /// How many connections there were when the end began, and how many were told when to come back.
    pub(crate) crowd: AtomicUsize,
    pub(crate) told: AtomicUsize,
    /// What the connections may hold.
    pub(crate) budget: Option<Arc<Budget>>,
    pub(crate) counts: Counts,
    #[cfg(feature = "inspect")]
    pub(crate) observed: OnceLock<observed::Observed>,
    /// What handlers that operators run without a peer need.
    #[cfg(feature = "console")]
    pub(crate) detaching: OnceLock<detaching::Detaching>,
}

impl Core {
    pub(crate) fn live(&self) -> MutexGuard<'_, Roll> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections of a server, as long as there is one.
pub(super) fn live(core: &Weak<Core>) -> Live {
    let core = Weak::clone(core);
    Box::new(move || core.upgrade().map(|core| core.live().values().cloned().collect()).unwrap_or_default())
}
