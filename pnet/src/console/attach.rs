//! The other end of [`Console::listen`](super::Console::listen): what a tool attaches to a running program with.
//!
//! # Examples
//!
//! ```no_run
//! # #[cfg(unix)]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pnet::console::attach::{self, RunOptions};
//!
//! let operator = attach::unix("/run/user/1000/math/console").await?;
//! let ran = operator.run("list", &RunOptions::default()).await?;
//! print!("{}", ran.text);
//! # Ok(()) }
//! ```

use std::{sync::Arc, time::Duration};

use pnet_protocol::{dialect::Dialect, limits::Limits};

pub use super::protocol::{About, Candidate, CommandInfo, Completion, Ran};
use super::protocol::{Complete, Hello, PnetConsole, Run, Sample};
use crate::{
    CallError, Client, Closed, ConnectError,
    client::{ClientBuilder, connect},
    inspect::Snapshot,
};

pnet_macros::actions! { pub(crate) client Attached for PnetConsole: }

/// Attaches to the console at a Unix socket.
///
/// # Errors
///
/// [`ConnectError`]: nobody listens there, the operator is refused, or it is no console.
///
/// # Cancel safety
///
/// Dropping the future ends the attempt.
#[cfg(unix)]
pub async fn unix(path: impl AsRef<std::path::Path>) -> Result<Operator, ConnectError> {
    let path = path.as_ref();
    let connected = crate::transport::unix::dial(path).await;
    let (io, peer) = connected.map_err(|source| ConnectError::Io { address: path.display().to_string(), source })?;
    let client = settings().over(io, peer).await?;
    Ok(Operator { client })
}

/// Attaches to the console at an address, over TLS. The program has to have the key `pin`, and to list that of `identity`
/// among its operators.
///
/// # Errors
///
/// [`ConnectError`]: nobody listens there, the key is another one, the operator is refused, or it is no console.
///
/// # Cancel safety
///
/// Dropping the future ends the attempt.
#[cfg(feature = "tls")]
pub async fn tls(
    address: impl crate::transport::tcp::Address,
    identity: crate::Identity,
    pin: crate::Fingerprint,
) -> Result<Operator, ConnectError> {
    let client = settings().identity(identity).pin(pin).to(address).await?;
    Ok(Operator { client })
}

/// Somebody who is attached to a console. Cheap to clone; when the last clone is dropped, the connection closes, and what
/// still runs for it ends.
#[derive(Clone, Debug)]
pub struct Operator {
    client: Client<PnetConsole>,
}

/// How a line is run.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Whether the answer is JSON, a line for each thing.
    pub json: bool,
    /// Whether the operator has said yes to what this line does.
    ///
    /// After an answer with a [`question`](Ran::question), exactly that is done which was asked about, whatever else there is
    /// by now. Without a question before, it is as `--yes` in the line.
    pub confirmed: bool,
    /// How wide tables may be; 0 for as wide as they are.
    pub columns: u16,
}

impl RunOptions {
    /// Sets whether the answer is JSON.
    #[must_use]
    pub const fn json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// Sets whether the operator has said yes.
    #[must_use]
    pub const fn confirmed(mut self, confirmed: bool) -> Self {
        self.confirmed = confirmed;
        self
    }

    /// Sets how wide tables may be.
    #[must_use]
    pub const fn columns(mut self, columns: u16) -> Self {
        self.columns = columns;
        self
    }
}

/// Which connections a sample shows, and in which order. By default all of them, in the order in which they were let in.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleQuery {
    /// What they are sorted by; see [`SORT_KEYS`]. Empty for the order in which they were let in. Ties go by id.
    pub sort: String,
    /// Whether the largest comes first.
    pub descending: bool,
    /// How many are shown at most, of those that are left after sorting.
    pub limit: Option<u64>,
    /// Only those whose id, address, form, key or person has this text in it, in any case of letters.
    pub filter: String,
    /// The only part of the snapshot beside `about` and `totals` that is filled in: `connections`, `actions`, `limits` or
    /// `closes`. Empty for all.
    pub section: String,
}

impl SampleQuery {
    /// Sets what the connections are sorted by, and whether the largest comes first.
    #[must_use]
    pub fn sort(mut self, key: impl Into<String>, descending: bool) -> Self {
        (self.sort, self.descending) = (key.into(), descending);
        self
    }

    /// Sets how many are shown at most.
    #[must_use]
    pub const fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Shows only those that have this text in them.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = filter.into();
        self
    }

    /// Shows only this part.
    #[must_use]
    pub fn section(mut self, section: impl Into<String>) -> Self {
        self.section = section.into();
        self
    }
}

/// What connections can be sorted by. Those with `_rate` are packets, calls and bytes a second since the operator's last
/// sample, as the program counts them; at the first one they are what the others are.
pub const SORT_KEYS: &[&str] = &[
    "id",
    "addr",
    "form",
    "person",
    "key",
    "age",
    "idle",
    "rtt",
    "in",
    "out",
    "bytes",
    "in_rate",
    "out_rate",
    "byte_rate",
    "queue",
    "flight",
];

impl Operator {
    /// What program this is, and what may be typed.
    ///
    /// # Errors
    ///
    /// [`AttachError`]
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn about(&self) -> Result<About, AttachError> {
        self.client.call(Hello {}).await.map_err(AttachError::of)
    }

    /// Runs a line as if it were typed there.
    ///
    /// # Errors
    ///
    /// [`AttachError`]. A command that fails is none: [`Ran::exit`] says so.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command at its next `.await`; what it has done by then is done.
    pub async fn run(&self, line: &str, options: &RunOptions) -> Result<Ran, AttachError> {
        let RunOptions { json, confirmed, columns } = *options;
        let run = Run { line: line.to_owned(), json, confirmed, columns };
        self.client.call(run).timeout(LONGEST).await.map_err(AttachError::of)
    }

    /// How the line may go on at `at`, in bytes.
    ///
    /// # Errors
    ///
    /// [`AttachError`]
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn complete(&self, line: &str, at: usize) -> Result<Completion, AttachError> {
        let complete = Complete { line: line.to_owned(), at: at as u64 };
        self.client.call(complete).await.map_err(AttachError::of)
    }

    /// What is going on there. The program sorts the connections, and cuts then; its totals are over all of them.
    ///
    /// # Errors
    ///
    /// [`AttachError`]
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn sample(&self, query: &SampleQuery) -> Result<Snapshot, AttachError> {
        let SampleQuery { sort, descending, limit, filter, section } = query.clone();
        let sample = Sample { sort, descending, limit, filter, section };
        let sampled = match self.client.call(sample).await {
            Ok(sampled) => sampled,
            Err(CallError::Declared(error)) => return Err(AttachError::Refused(error.why)),
            Err(error) => return Err(AttachError::of(error)),
        };
        serde_json::from_str(&sampled.snapshot).map_err(|_| AttachError::Unreadable)
    }

    /// Waits until the connection is gone, and says why.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn closed(&self) -> Arc<Closed> {
        self.client.closed().await
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Closes the connection in good order.
    ///
    /// # Cancel safety
    ///
    /// The connection closes even if the future is dropped.
    pub async fn close(&self) -> Arc<Closed> {
        self.client.close().await
    }
}

/// Why a console has not answered.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The program has ended, or the connection to it is gone.
    #[error("not attached any more: {0}")]
    Closed(Arc<Closed>),
    /// No answer came in time.
    #[error("the console has not answered within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The console does not do that, and says why.
    #[error("{}", pnet_protocol::text::escape(.0, 1024))]
    Refused(String),
    /// What the console has answered is nothing that this version understands.
    #[error("the console has answered something that this version of pnet cannot read")]
    Unreadable,
    /// The line cannot be sent as it is: it is longer than a console takes.
    #[error("{0}")]
    Unsendable(String),
}

impl AttachError {
    fn of<E>(error: CallError<E>) -> Self {
        match error {
            CallError::Disconnected { why, .. } => Self::Closed(why),
            CallError::TimedOut { after } => Self::TimedOut { after },
            CallError::Failed { code, message } => Self::Refused(format!("{message} ({code})")),
            CallError::Decode(_) => Self::Unreadable,
            CallError::TooLong { len, max } => {
                Self::Unsendable(format!("a line of {len} bytes is longer than the console takes ({max})"))
            }
            _ => Self::Unsendable("the line cannot be sent".to_owned()),
        }
    }
}

fn settings() -> ClientBuilder<Attached> {
    let limits = *Limits::default().max_frame_len(MAX_ANSWER);
    connect(Attached, ()).dialect(Dialect::Json).limits(limits).call_timeout(Some(Duration::from_secs(30)))
}

/// Longer than any command takes: those have limits of their own.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest answer, as it travels.
const MAX_ANSWER: u32 = 8 * 1024 * 1024;
