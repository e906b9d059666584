//! Why an act did not come about.

use std::{sync::Arc, time::Duration};

use pnet_protocol::text::escape;

use crate::{
    calls::json::Json,
    error::{Closed, JsonError},
    server::detaching::NotDriven,
};

/// Why an act on a connection, or on all of them, was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    /// The connection has ended meanwhile.
    #[error("the connection is gone: {0}")]
    Gone(Arc<Closed>),
    /// A client has one connection, to its server.
    #[error("this is a client: only a server can {0}")]
    ServersOnly(&'static str),
    /// A ping was not answered in time. A JSON peer that was not made with pnet is sent none.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The packet does not fit the protocol.
    #[error("{}", with_sources(.0))]
    Json(#[source] JsonError),
}

/// Why [`trigger`](crate::inspect::Inspector::trigger) has no answer to give.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TriggerError {
    /// The other side may not send that, and nothing here is bound to it.
    #[error("{}", unknown(.action, .nearest, *.outgoing))]
    UnknownAction {
        action: String,
        /// What it may have been meant to be, the nearest first.
        nearest: Vec<&'static str>,
        /// Whether it is this side that sends it.
        outgoing: bool,
    },
    /// The data does not fit the action; the field is named.
    #[error("{}", with_sources(.0))]
    Json(#[source] JsonError),
    /// The handler touches its peer, and was run without one.
    #[error("the handler of `{action}` needs a peer: say `as ID`")]
    NeedsPeer { action: &'static str },
    /// The handler answered with the error that the protocol declares.
    #[error("answered with its declared error: {} {}", .0.action(), escape(&.0.data().to_string(), 2048))]
    Declared(Json),
    /// The handler failed, or was not run.
    #[error("{}", failed(.code, .text))]
    Failed {
        /// One of the codes in `docs/wire.md`, or one that the handler chose.
        code: String,
        /// What its caller would be told; of an internal failure, what stands in the log.
        text: String,
    },
    /// The handler's answer cannot be read: it is not what the protocol declares.
    #[error("{}", with_sources(.0))]
    Unreadable(#[source] JsonError),
    /// As many of the operators' runs are under way as there may be.
    #[error("too many triggered handlers are running: {0} at once are allowed")]
    Busy(usize),
    /// The handler did not finish in time, and was cancelled unless it is marked `finish`.
    #[error("the handler did not finish within {0:?}")]
    TimedOut(Duration),
    /// The connection ended before the handler did, or before it was run.
    #[error("the connection is gone: {0}")]
    Gone(Arc<Closed>),
    /// The server accepts nothing any more.
    #[error("this side is shutting down and takes nothing new")]
    GoingAway,
    /// The handler was dropped with the runtime, or with the end of a shutdown's grace.
    #[error("the handler was dropped before it had finished")]
    Dropped,
    /// A handler without a peer is stopped by unwinding, which the program was compiled without.
    #[error("this program aborts where others unwind, so a handler cannot be run without a peer: say `as ID`")]
    Aborts,
}

fn unknown(action: &str, nearest: &[&str], outgoing: bool) -> String {
    let action = escape(action, SHOWN_LEN);
    if outgoing {
        return format!("`{action}` is sent by this side, and handled by the other one: use `send` or `broadcast`");
    }
    match nearest {
        [] => format!("nothing here handles an action `{action}`"),
        nearest => {
            let names = nearest.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
            format!("nothing here handles an action `{action}`: {names}?")
        }
    }
}

fn failed(code: &str, text: &str) -> String {
    let (code, text) = (escape(code, SHOWN_LEN), escape(text, 2048));
    if text.is_empty() { format!("the handler failed: {code}") } else { format!("the handler failed: {text} ({code})") }
}

/// An error with what is behind it, for those who see one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Bytes of a name that is shown.
const SHOWN_LEN: usize = 128;

impl From<NotDriven> for TriggerError {
    fn from(why: NotDriven) -> Self {
        match why {
            NotDriven::GoingAway => Self::GoingAway,
            NotDriven::Busy(allowed) => Self::Busy(allowed),
            NotDriven::Dropped => Self::Dropped,
        }
    }
}
