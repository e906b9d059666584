//! What an operator does to a server.

use std::{sync::Arc, time::Duration};

use super::{
    super::operated::{Drained, Draining, Operated},
    Target,
};
use crate::{
    connection::{Conn, registry::HubCore},
    server::{
        detaching::NotDriven,
        ending::{Ending, Plan},
    },
};

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

    fn drive(&self, conn: &Arc<Conn>) -> Result<(), NotDriven> {
        self.core.drive(conn)
    }
}
