//! What an operator does to a server.

use std::{sync::Arc, time::Duration};

use super::{
    ending::{Ending, Plan},
    inspected::Target,
};
use crate::{
    hub::HubCore,
    operate::{Drained, Draining, Operated},
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
}
