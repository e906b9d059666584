//! What an operator has of a handler that he runs, and the task of one that has no peer.

use std::sync::Arc;

use pnet_protocol::{
    failure::{Failure, code},
    reply::Verdict,
};
use tokio::sync::oneshot;

use super::{Collected, Conn, Meta, NotInjected, Outcome};
use crate::error::Closed;

/// A handler that an operator runs. Dropped, it is cancelled.
pub(crate) struct OperatorsRun {
    conn: Arc<Conn>,
    id: u32,
    outcome: oneshot::Receiver<Outcome>,
}

impl OperatorsRun {
    /// Leaves the packet for the connection's driver.
    pub(crate) fn begin(
        conn: &Arc<Conn>,
        (action, meta): (u16, Meta),
        payload: Vec<u8>,
        stream: bool,
    ) -> Result<Self, NotInjected> {
        let (id, outcome) = conn.out().inject(action, payload, meta, stream)?;
        Ok(Self { conn: Arc::clone(conn), id, outcome })
    }

    /// How the handler ended; or why the connection did, before it.
    pub(crate) async fn ended(&mut self) -> Result<Outcome, Arc<Closed>> {
        let conn = Arc::clone(&self.conn);
        tokio::select! {
            biased;
            Ok(outcome) = &mut self.outcome => Ok(outcome),
            closed = conn.closed() => Err(closed),
        }
    }

    /// The operator does not wait any more, and takes what there is of his stream.
    pub(crate) fn leave(self) -> Collected {
        self.left().unwrap_or_default()
    }

    fn left(&self) -> Option<Collected> {
        let left = self.conn.out().leave_run(self.id);
        left.collected
    }
}

impl Drop for OperatorsRun {
    fn drop(&mut self) {
        self.left();
    }
}

impl Conn {
    /// A handler that an operator has run is at its end.
    pub(crate) fn tell_operator(
        &self,
        id: u32,
        action: &'static str,
        outcome: Result<Verdict, Failure>,
        payload: &[u8],
    ) {
        if let Err(failure) = &outcome
            && failure.code() == code::INTERNAL
        {
            tracing::error!(action, failure = %failure.log_text(), "a handler failed");
        }
        let operator = self.out().operator_of(id);
        if let Some(operator) = operator {
            // He may have left meanwhile.
            let _ = operator.send((outcome, payload.to_vec()));
        }
    }
}
