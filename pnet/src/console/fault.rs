//! Why a line was not done.

use std::fmt;

use pnet_protocol::id::ConnectionId;

/// Why a line was not done, with its exit status.
#[derive(Debug)]
pub(super) enum Fault {
    /// Words for the operator.
    Failed { exit: u8, message: String },
    /// The operator has to say yes first, to just this.
    Ask { question: String, plan: Plan },
}

/// What exactly is done if the operator says yes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The connections that it is done to, where it is done to some.
    pub(super) conns: Vec<ConnectionId>,
}

impl Fault {
    /// Refused by this side, by the other one, or by a handler.
    pub(super) fn refused(message: impl fmt::Display) -> Self {
        Self::Failed { exit: REFUSED, message: message.to_string() }
    }

    /// The operator has typed something that is nothing.
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::Failed { exit: USAGE, message: message.to_string() }
    }

    pub(super) fn timed_out(message: impl fmt::Display) -> Self {
        Self::Failed { exit: TIMED_OUT, message: message.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { message, .. } => f.write_str(message),
            Self::Ask { question, .. } => f.write_str(question),
        }
    }
}

pub(super) const REFUSED: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const TIMED_OUT: u8 = 4;
