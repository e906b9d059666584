//! How the program ends: a status that scripts can rely on, and why.

use std::{error::Error, fmt, process::ExitCode};

use pnet::{CallError, Closed, ConnectError, HandshakeError, Json, JsonError, SendError, TlsError};

use crate::text;

/// The program's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// All was done.
    pub(crate) const DONE: Self = Self(0);
    /// The server, or one of its handlers, would not or could not do it.
    pub(crate) const REFUSED: Self = Self(1);
    /// What was asked for cannot be meant like this. Nothing was sent.
    pub(crate) const USAGE: Self = Self(2);
    /// The server cannot be reached, is no pnet server, or is not to be trusted.
    pub(crate) const UNREACHABLE: Self = Self(3);
    /// No answer came in time.
    pub(crate) const TIMED_OUT: Self = Self(4);
    /// The terminal has gone.
    pub(crate) const HUNG_UP: Self = Self(129);
    /// ctrl-c was pressed.
    pub(crate) const INTERRUPTED: Self = Self(130);
    /// The program was told to end.
    pub(crate) const TERMINATED: Self = Self(143);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.0.into()
    }
}

/// Why a command was not done, and the status that says so.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Words for people: harmless on a terminal. Nothing is said where it is empty.
    pub(crate) message: String,
    /// What the handler has answered, if that is why.
    pub(crate) declared: Option<Json>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: text::escape(&message.to_string()), declared: None }
    }

    /// The user's mistake.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::USAGE, message)
    }

    /// The server's no.
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self::new(Exit::REFUSED, message)
    }

    /// Ends without a word.
    pub(crate) const fn silent(exit: Exit) -> Self {
        Self { exit, message: String::new(), declared: None }
    }

    /// ctrl-c was pressed.
    pub(crate) const fn interrupted() -> Self {
        Self::silent(Exit::INTERRUPTED)
    }

    /// The connection has ended.
    pub(crate) fn closed(why: &Closed) -> Self {
        Self::refused(explained(why))
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = match &error {
            ConnectError::Refused(closed) if closed.reason().starts_with(TLS_ONLY) => Exit::UNREACHABLE,
            ConnectError::Refused(_) | ConnectError::Hook(_) => Exit::REFUSED,
            ConnectError::TimedOut { .. } => Exit::TIMED_OUT,
            ConnectError::PlaintextOnNetwork { .. }
            | ConnectError::PlaintextCredentials
            | ConnectError::Credentials(_)
            | ConnectError::Tls(TlsError::Settings { .. })
            | ConnectError::NoCredentials { .. }
            | ConnectError::Schema(_) => Exit::USAGE,
            _ => Exit::UNREACHABLE,
        };
        // What the library says in terms of its functions is said in terms of options.
        let message = match &error {
            ConnectError::PlaintextOnNetwork { address } => format!(
                "{address} is beyond this machine and the connection would be plain text; say whom to trust (--pin, \
                 --known-hosts, --roots or --system-roots), or allow it with --plaintext-on-network"
            ),
            ConnectError::PlaintextCredentials => "the credentials would travel in plain text; use TLS (--pin, \
                 --known-hosts, --roots or --system-roots), or allow it with --plaintext-credentials"
                .to_owned(),
            ConnectError::NoSchema { why } => format!(
                "the server does not say what its protocol is: {why}; a file with its schema can be given with --schema"
            ),
            ConnectError::Handshake(HandshakeError::SpeaksTls) => {
                format!("{}: say whom to trust (--pin, --known-hosts, --roots or --system-roots)", explained(&error))
            }
            ConnectError::Handshake(HandshakeError::SpeaksHttp | HandshakeError::NotPnet { .. }) => {
                format!("{}: is the port right?", explained(&error))
            }
            _ => {
                OPTIONS.iter().fold(explained(&error), |message, (function, option)| message.replace(function, option))
            }
        };
        Self::new(exit, message)
    }
}

impl From<CallError<Json>> for Failure {
    fn from(error: CallError<Json>) -> Self {
        let exit = match &error {
            CallError::TimedOut { .. } => Exit::TIMED_OUT,
            CallError::Json(JsonError::Unreadable { .. }) => Exit::REFUSED,
            CallError::Json(_) | CallError::Encode(_) | CallError::TooLong { .. } => Exit::USAGE,
            _ => Exit::REFUSED,
        };
        match error {
            CallError::Declared(answer) => {
                let message =
                    format!("the answer is an error: {} {}", text::escape(answer.action()), text::json(answer.data()));
                Self { exit, message, declared: Some(answer) }
            }
            error => Self::new(exit, explained(&error)),
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let exit = match &error {
            SendError::Json(_) | SendError::Encode(_) | SendError::TooLong { .. } => Exit::USAGE,
            _ => Exit::REFUSED,
        };
        Self::new(exit, explained(&error))
    }
}

/// What a server of this version says to those who speak plain text where it is not taken.
const TLS_ONLY: &str = "this server takes TLS only";

/// What servers and the library say in terms of its functions, and the options for that.
const OPTIONS: [(&str, &str); 6] = [
    ("`.pin`", "--pin"),
    ("`.known_hosts`", "--known-hosts"),
    ("`.roots`", "--roots"),
    ("`.system_roots`", "--system-roots"),
    ("`.server_name`", "--server-name"),
    ("`.identity`", "--identity"),
];

/// An error with its causes.
pub(crate) fn explained(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}
