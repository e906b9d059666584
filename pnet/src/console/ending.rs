//! The end of what the console looks into, where an operator has asked for it.

use std::time::Duration;

use tokio::sync::watch;

use crate::inspect::{Inspector, operated::Drained};

/// Whether an operator has ended what the console looks into, which all operators learn.
#[derive(Debug)]
pub(super) struct Ending {
    over: watch::Sender<Option<String>>,
}

impl Default for Ending {
    fn default() -> Self {
        Self { over: watch::channel(None).0 }
    }
}

impl Ending {
    /// Begins to drain; it goes on whatever becomes of the operator.
    pub(super) fn drain(&self, inspector: Inspector, grace: Duration) {
        let over = self.over.clone();
        tokio::spawn(async move {
            let words = match inspector.drain(grace).await {
                Drained::Server(shutdown) => {
                    let (finished, cut_off, calls) = (shutdown.finished, shutdown.cut_off, shutdown.calls);
                    format!("drained: {finished} connections finished, {cut_off} cut off, {calls} calls without answer")
                }
                Drained::Client(closed) => closed.to_string(),
            };
            tracing::info!(outcome = words, "drained");
            over.send_replace(Some(words));
        });
    }

    /// Ends it now.
    pub(super) fn stop(&self, inspector: &Inspector) {
        inspector.stop();
        self.over.send_if_modified(|over| {
            let is_first = over.is_none();
            over.get_or_insert_with(|| "stopped".to_owned());
            is_first
        });
    }

    /// Waits until it has ended, and says how.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub(super) async fn over(&self) -> String {
        let mut over = self.over.subscribe();
        let ended = over.wait_for(Option::is_some).await;
        // The sender lives as long as this.
        ended.ok().and_then(|over| over.clone()).unwrap_or_default()
    }
}
