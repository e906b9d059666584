//! What can go wrong for a user of this crate: one enum per operation, each variant telling whose fault it is.

mod json;
#[cfg(feature = "tls")]
pub(crate) mod tls;

#[cfg(unix)]
use std::path::PathBuf;
use std::{borrow::Cow, convert::Infallible, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use pnet_protocol::{
    close::{Close, CloseCode, Retry, close_for},
    credentials::CredentialsError,
    document::SchemaError,
    handshake::HandshakeError,
    packet::{DecodeError, EncodeError},
    text::escape,
};

pub use self::json::JsonError;
#[cfg(feature = "tls")]
pub use self::tls::{TlsError, Untrusted};

/// Why a connection ended: what disconnect handlers get, and what every operation on a dead connection carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    code: CloseCode,
    reason: Cow<'static, str>,
    by: ClosedBy,
    retry: Retry,
}

impl Closed {
    pub(crate) fn new(code: CloseCode, reason: impl Into<Cow<'static, str>>, by: ClosedBy) -> Self {
        Self { code, reason: reason.into(), by, retry: Retry::Unspecified }
    }

    /// Stands in where the reason was not recorded.
    pub(crate) const fn unknown() -> Self {
        Self { code: CloseCode::Lost, reason: Cow::Borrowed(""), by: ClosedBy::Transport, retry: Retry::Unspecified }
    }

    pub(crate) fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    pub(crate) fn from_peer(code: CloseCode, retry: Retry, reason: &str) -> Self {
        Self { code, reason: reason.to_owned().into(), by: ClosedBy::Peer, retry }
    }

    pub(crate) fn refused(refused: &Refused) -> Self {
        Self { code: CloseCode::Refused, reason: refused.reason.clone(), by: ClosedBy::Here, retry: refused.retry }
    }

    /// The code, as both ends see it.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason in words; empty if none was given. When the peer closed, these are its words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Which end decided.
    #[must_use]
    pub const fn by(&self) -> ClosedBy {
        self.by
    }

    /// Whether, and when, the peer wants to be connected to again.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        self.retry
    }
}

impl Closed {
    /// Whether a client that reconnects comes back after this, and how long the server wants it to stay away.
    pub(crate) fn comes_back(&self) -> Option<Option<Duration>> {
        match self.retry {
            Retry::After(millis) => Some(Some(Duration::from_millis(millis.into()))),
            Retry::Never => None,
            // What this side has refused for now, it may like better later.
            _ if self.by == ClosedBy::Here && self.code == CloseCode::Refused => Some(None),
            _ => self.code.is_retryable().then_some(None),
        }
    }
}

impl Closed {
    /// Whether the other side would not have what this side has shown, and says nothing about coming back with something else.
    pub(crate) fn refuses_credentials(&self) -> bool {
        self.code == CloseCode::Unauthorized && self.by == ClosedBy::Peer && self.retry == Retry::Unspecified
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            ClosedBy::Here => "this side",
            ClosedBy::Peer => "the peer",
            ClosedBy::Transport => "the transport",
        };
        write!(f, "connection closed by {by}: {}", self.code)?;
        if !self.reason.is_empty() {
            // The peer chose these words: no control character of theirs reaches a terminal or a log.
            write!(f, " ({})", escape(&self.reason, SHOWN_LEN))?;
        }
        Ok(())
    }
}

impl std::error::Error for Closed {}

/// Which end ended a connection.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// This program: a call to `close` or `shutdown`, the last handle dropped, or a rule of this side broken by the peer.
    Here,
    /// The other program, with a close frame or by ending its stream.
    Peer,
    /// The transport: reset, broken pipe, or another I/O error.
    Transport,
}

/// Why [`call`](crate::Client::call) has no answer to give. `E` is the error the protocol declares for the packet.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CallError<E = Infallible> {
    /// The handler answered with the declared error: `A -> Result<B, E>`.
    #[error("the call was answered with its declared error: {0:?}")]
    Declared(E),
    /// The handler failed, or could not be run: the peer's fault, or this packet's.
    ///
    /// The text of this error shows both escaped.
    #[error("the peer could not answer: {} ({})", escape(.message, SHOWN_LEN), escape(.code, SHOWN_LEN))]
    Failed {
        /// One of the codes in `docs/wire.md` (`internal`, `malformed`, `busy`, …), or one the handler chose.
        code: String,
        /// The peer's words.
        message: String,
    },
    /// No answer came in time. The handler is told to stop; a late answer is dropped.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended first. If `sent`, whether the handler ran is unknown; if not, it did not.
    #[error("no answer: the connection is gone")]
    Disconnected {
        /// Whether the packet had been handed to the transport.
        sent: bool,
        /// Why the connection ended.
        #[source]
        why: Arc<Closed>,
    },
    /// The server has suspended delivery to this connection ([`Peer::suspend`](crate::Peer::suspend)); nothing was
    /// sent. A client never gets it.
    #[error("not called: delivery to the connection is suspended")]
    Suspended,
    /// The packet could not be encoded; nothing was sent.
    #[error("the packet cannot be encoded")]
    Encode(#[source] EncodeError),
    /// The encoded packet is longer than the peer accepts; nothing was sent.
    #[error("a frame of {len} bytes exceeds the peer's limit of {max}")]
    TooLong {
        /// Length of the frame, in bytes.
        len: u64,
        /// The peer's limit, in bytes.
        max: u64,
    },
    /// The answer came, but it is not what the protocol declares: the peer's fault.
    #[error("the answer cannot be decoded")]
    Decode(#[source] DecodeError),
    /// Of [`call_json`](crate::Client::call_json) only: the packet does not fit the protocol and was not sent, or its answer
    /// cannot be read.
    #[error("the call does not fit the protocol")]
    Json(#[from] JsonError),
}

impl<E> CallError<E> {
    /// Reads the declared error, which may go wrong.
    pub(crate) fn try_map_declared<F>(self, read: impl FnOnce(E) -> Result<F, CallError<F>>) -> CallError<F> {
        match self {
            Self::Declared(error) => read(error).map_or_else(|error| error, CallError::Declared),
            Self::Failed { code, message } => CallError::Failed { code, message },
            Self::TimedOut { after } => CallError::TimedOut { after },
            Self::Disconnected { sent, why } => CallError::Disconnected { sent, why },
            Self::Suspended => CallError::Suspended,
            Self::Encode(error) => CallError::Encode(error),
            Self::TooLong { len, max } => CallError::TooLong { len, max },
            Self::Decode(error) => CallError::Decode(error),
            Self::Json(error) => CallError::Json(error),
        }
    }

    /// The declared error, if that is what this is.
    #[must_use]
    pub fn declared(self) -> Option<E> {
        if let Self::Declared(error) = self { Some(error) } else { None }
    }
}

/// Why [`send`](crate::Client::send) did not take a packet.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection is gone; the packet was not sent.
    #[error("not sent: the connection is gone")]
    Disconnected(#[source] Arc<Closed>),
    /// The peer is a JSON client of the old form, which takes answers and nothing else (`docs/wire.md` §11.6).
    #[error("not sent: the peer is of the old form and takes answers only")]
    Unsupported,
    /// An item of a stream whose consumer does not want it any more, or whose handler has returned. Nobody's fault.
    #[error("not sent: nobody wants the stream any more")]
    Cancelled,
    /// Why a stream should come to its end, from [`StreamSender::closed`](crate::StreamSender::closed): this side is
    /// shutting down.
    #[error("this side is shutting down")]
    ShuttingDown,
    /// The server has suspended delivery to this connection ([`Peer::suspend`](crate::Peer::suspend)); the packet was
    /// not sent. A client never gets it.
    #[error("not sent: delivery to the connection is suspended")]
    Suspended,
    /// The connection's queue is full, and the packet's rule is [`WhenFull::DropNew`](crate::WhenFull::DropNew).
    #[error("not sent: the queue is full, and the packet's rule is to drop it then")]
    Full,
    /// The packet could not be encoded.
    #[error("the packet cannot be encoded")]
    Encode(#[source] EncodeError),
    /// Of [`send_json`](crate::Client::send_json) only: the packet does not fit the protocol.
    #[error("the packet does not fit the protocol")]
    Json(#[from] JsonError),
    /// The encoded packet is longer than the peer accepts.
    #[error("a frame of {len} bytes exceeds the peer's limit of {max}")]
    TooLong {
        /// Length of the frame, in bytes.
        len: u64,
        /// The peer's limit, in bytes.
        max: u64,
    },
}

/// What [`try_send`](crate::Client::try_send) gives back: the packet, and why it was not taken.
#[derive(Debug)]
pub struct TrySendError<T> {
    /// The packet.
    pub packet: T,
    /// Why it was not taken.
    pub reason: TrySendReason,
}

/// Why [`try_send`](crate::Client::try_send) did not take a packet.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TrySendReason {
    /// The connection's queue is full: the peer reads or handles too slowly. `send` would wait, if that is the packet's
    /// rule ([`WhenFull`](crate::WhenFull)).
    #[error("the connection's queue is full")]
    Full,
    /// What `send` would report, too.
    #[error("not sent")]
    Failed(#[source] SendError),
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reason, f)
    }
}

impl<T: fmt::Debug> std::error::Error for TrySendError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.reason)
    }
}

/// Why [`connect`](crate::connect) did not give a client.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address could not be resolved or reached.
    #[error("cannot connect to {address}")]
    Io {
        /// What was connected to.
        address: String,
        /// The operating system's word.
        #[source]
        source: io::Error,
    },
    /// The address is not on loopback and nothing encrypts the connection.
    #[error(
        "{address} is beyond loopback and the connection would be plain text; tell the client whom to trust (`.pin`, \
         `.known_hosts` or `.roots`), or call `.plaintext_on_network()`"
    )]
    PlaintextOnNetwork {
        /// The address that was refused.
        address: SocketAddr,
    },
    /// There are credentials, and they would travel in plain text beyond loopback.
    #[error(
        "the credentials would travel in plain text; use TLS (`.pin`, `.known_hosts` or `.roots`), or call \
         `.plaintext_credentials()` to allow it"
    )]
    PlaintextCredentials,
    /// TLS with the server did not come about. Nothing of the application was sent.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The credentials cannot be sent.
    #[error(transparent)]
    Credentials(CredentialsError),
    /// The protocol wants credentials, and none were given. Nothing was connected to.
    #[error("clients of `{protocol}` show credentials: call `.credentials(…)` with a `{credentials}`")]
    NoCredentials {
        /// The protocol.
        protocol: &'static str,
        /// What it declares.
        credentials: &'static str,
    },
    /// This side's own [`credentials_with`](crate::ClientBuilder::credentials_with) had nothing to show, or panicked.
    #[error("there are no credentials to show: {}", .0.reason())]
    NothingToShow(Refused),
    /// The two ends do not speak the same protocol, or the other end is no pnet server.
    #[error("the handshake failed")]
    Handshake(#[source] HandshakeError),
    /// The server closed the connection instead of welcoming it: refused, overloaded, going away.
    #[error("the server did not take the connection: {0}")]
    Refused(Closed),
    /// The transport broke, or ended, before the handshake was done.
    #[error("the connection broke during the handshake")]
    Broken(#[source] io::Error),
    /// The server did not finish the handshake in time.
    #[error("no handshake within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// A [dynamic client](crate::dynamic) asked the server for its schema and was not told: it is not made with pnet, or with a
    /// version that does not know the question. Give the schema with [`schema`](crate::dynamic::Builder::schema).
    #[error("the server does not say what its protocol is: {why}")]
    NoSchema {
        /// What it said or did instead; escaped.
        why: String,
    },
    /// The schema that a [dynamic client](crate::dynamic) was told, or given, cannot be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// This side's own [`connected`](crate::ReconnectBuilder::connected) did not want the connection.
    #[error("the connection was not wanted: {}", .0.reason())]
    Hook(Refused),
}

impl ConnectError {
    /// The error in the terms of an end: why a client that was connected is not any more.
    pub(crate) fn to_closed(&self) -> Closed {
        let (code, by, reason) = match self {
            Self::Refused(closed) => return closed.clone(),
            Self::Hook(refused) | Self::NothingToShow(refused) => return Closed::refused(refused),
            Self::Io { source, .. } | Self::Broken(source) => {
                (CloseCode::Lost, ClosedBy::Transport, format!("{self}: {source}"))
            }
            Self::TimedOut { .. } => (CloseCode::HandshakeTimeout, ClosedBy::Here, self.to_string()),
            Self::Handshake(HandshakeError::Ended) => (CloseCode::Lost, ClosedBy::Peer, self.to_string()),
            Self::Handshake(error) => {
                let (code, reason) = close_for(error);
                (code, ClosedBy::Here, reason)
            }
            #[cfg(feature = "tls")]
            Self::Tls(error) if error.may_pass() => (CloseCode::Lost, ClosedBy::Transport, error.to_string()),
            #[cfg(feature = "tls")]
            Self::Tls(_) => return Closed::refused(&Refused::new(self.to_string()).for_good()),
            Self::PlaintextOnNetwork { .. }
            | Self::PlaintextCredentials
            | Self::Credentials(_)
            | Self::NoCredentials { .. }
            | Self::NoSchema { .. }
            | Self::Schema(_) => {
                let closed = Closed::new(CloseCode::Refused, self.to_string(), ClosedBy::Here);
                return Closed { retry: Retry::Never, ..closed };
            }
        };
        Closed::new(code, reason, by)
    }
}

impl From<HandshakeError> for ConnectError {
    /// A close frame instead of a welcome is a refusal; anything else means that the two ends do not understand each
    /// other.
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Closed { code, retry, reason } => {
                Self::Refused(Closed { code, reason: reason.into(), by: ClosedBy::Peer, retry })
            }
            error => Self::Handshake(error),
        }
    }
}

/// Why a server could not be bound.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address could not be resolved or bound.
    #[error("cannot bind {address}")]
    Io {
        /// What was to be bound.
        address: String,
        /// The operating system's word.
        #[source]
        source: io::Error,
    },
    /// The address is reachable from the network and nothing encrypts the connections.
    #[error(
        "{address} is beyond loopback and connections would be plain text; give the server a key with `.identity` or \
         `.certificates`, or call `.plaintext_on_network()`"
    )]
    PlaintextOnNetwork {
        /// The address that was refused.
        address: SocketAddr,
    },
    /// A Unix socket's path is longer than the system takes.
    #[cfg(unix)]
    #[error("{} has {len} bytes, and the path of a Unix socket may have {max}: choose a shorter one", path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length, in bytes.
        len: usize,
        /// The most there may be.
        max: usize,
    },
    /// The directory of a Unix socket does not keep others away from it.
    #[cfg(unix)]
    #[error("the directory {} does not protect a socket: {what}", directory.display())]
    OpenDirectory {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it, and how that is mended.
        what: String,
    },
    /// Another program listens at the Unix socket.
    #[cfg(unix)]
    #[error("the socket {} is in use: a program answers there", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// There is something at the path of the Unix socket, and it was left alone.
    #[cfg(unix)]
    #[error("{} is {what}, and no socket: remove it, or choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The settings cannot be meant like this: the caller's fault.
    #[error("{what}")]
    Settings {
        /// What is wrong with them.
        what: &'static str,
    },
}

/// Why a client is turned away: what a handler that authenticates or a connect handler returns. The client's `connect` fails
/// with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    reason: Cow<'static, str>,
    retry: Retry,
}

impl Refused {
    /// Refuses with a reason, which the client sees (cut at 1 KiB).
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), retry: Retry::Unspecified }
    }

    /// Also asks the client not to come back.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        self.retry = Retry::Never;
        self
    }

    /// Also asks the client to come back, and no sooner than after so long: for what is no word about the client, such as a
    /// database that cannot be asked now. Less than a millisecond is rounded up, more than 49 days are cut.
    #[must_use]
    pub fn come_back(mut self, after: Duration) -> Self {
        self.retry = Retry::after(after);
        self
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What the other side is told, with the code for it.
    pub(crate) fn close(&self, code: CloseCode) -> Close<'_> {
        Close::new(code, &self.reason).with_retry(self.retry)
    }
}

impl From<&'static str> for Refused {
    fn from(reason: &'static str) -> Self {
        Self::new(reason)
    }
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.reason)
    }
}

impl std::error::Error for Refused {}

/// The most that is shown of a peer's words: all of them, unless most of them have to be escaped.
const SHOWN_LEN: usize = 2048;
