//! Why a packet that was made at run time does not fit its protocol.

use pnet_protocol::dynamic::{DecodeFault, Misfit};

/// Why a [`Json`](crate::Json) packet cannot be sent, or its answer not be read.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The protocol does not declare the action in this direction.
    #[error("this side of `{protocol}` sends no action {action:?}")]
    UnknownAction {
        /// The action.
        action: String,
        /// The protocol.
        protocol: &'static str,
    },
    /// The action has an answer, so it has to be called.
    #[error("`{action}` is answered: use `call_json`")]
    Answered {
        /// The action.
        action: &'static str,
    },
    /// The action has no answer, so it has to be sent.
    #[error("`{action}` has no answer: use `send_json`")]
    OneWay {
        /// The action.
        action: &'static str,
    },
    /// The action is answered with a stream, so it has to be opened as one.
    #[error("`{action}` is answered with a stream: use `stream_json`")]
    Streamed {
        /// The action.
        action: &'static str,
    },
    /// The action is answered once, or not at all, so that there is no stream to read.
    #[error("`{action}` is not answered with a stream: use `call_json` or `send_json`")]
    NotStreamed {
        /// The action.
        action: &'static str,
    },
    /// The protocol does not declare that the action is answered so.
    #[error("`{action}` is not answered with {answer:?}")]
    NotAnAnswer {
        /// The action that is answered.
        action: &'static str,
        /// The action of the answer.
        answer: String,
    },
    /// The data does not fit the shape of the action; the source names the field.
    #[error("the data does not fit `{action}`")]
    Misfit {
        /// The action.
        action: &'static str,
        /// What does not fit.
        #[source]
        source: Misfit,
    },
    /// The answer came, but it is not what the protocol declares: the peer's fault.
    #[error("the answer to `{action}` cannot be read")]
    Unreadable {
        /// The action.
        action: &'static str,
        /// Why not.
        #[source]
        source: DecodeFault,
    },
}
