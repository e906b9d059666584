//! [`Failure`]: why a handler gave no answer.

use std::{borrow::Cow, error::Error, fmt};

/// Codes of failures that pnet sends itself; a handler's own codes may be any text of 1 to 64 bytes.
pub mod code {
    /// The handler failed; why is in the log of its side only.
    pub const INTERNAL: &str = "internal";
    /// The other side does not know the action.
    pub const UNKNOWN_ACTION: &str = "unknown-action";
    /// The payload is not what the action carries.
    pub const MALFORMED: &str = "malformed";
    /// More calls are open than the other side takes.
    pub const BUSY: &str = "busy";
    /// The packet has no answer.
    pub const NO_REPLY: &str = "no-reply";
    /// The other side cannot do this.
    pub const UNSUPPORTED: &str = "unsupported";
    /// The handler was cancelled before it answered.
    pub const CANCELLED: &str = "cancelled";
    /// The answer is longer than the other side takes.
    pub const TOO_LONG: &str = "too-long";
    /// The other side is shutting down.
    pub const GOING_AWAY: &str = "going-away";
}

/// Why a handler gave no answer: a code and a message for the other side, and for internal failures a text that stays in
/// the log.
///
/// `?` on any error makes an internal one: the other side learns the code `internal` and nothing else. It does not
/// implement [`Error`] itself, as that conversion would then be ambiguous.
///
/// # Examples
///
/// ```
/// use pnet_protocol::failure::{Failure, code};
///
/// fn parse(text: &str) -> Result<u32, Failure> {
///     if text.is_empty() {
///         return Err(Failure::public("empty", "say a number"));
///     }
///     Ok(text.parse()?)
/// }
///
/// let told = parse("").unwrap_err();
/// assert_eq!((told.code(), told.message()), ("empty", "say a number"));
/// let hidden = parse("x").unwrap_err();
/// assert_eq!((hidden.code(), hidden.message()), (code::INTERNAL, ""));
/// assert_eq!(hidden.log_text().to_string(), "internal: invalid digit found in string");
/// ```
#[derive(Debug)]
pub struct Failure(Box<Parts>);

/// Boxed, so that a `Result` of what a handler returns is as small as its good half.
#[derive(Debug)]
struct Parts {
    code: Cow<'static, str>,
    message: String,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    None,
    /// The packet could not be decoded: the sender's mistake, and counted as one. Behind the first `named` bytes of its
    /// message stands what was wrong, and a type's own words may quote what it found: that is the sender's business, and
    /// nothing for a log.
    Malformed {
        named: usize,
    },
    Text(String),
    Error(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// A failure that the other side is told as it is: `code` for programs, `message` for people.
    ///
    /// A code that is empty, longer than 64 bytes or holds control characters is replaced by `internal`, and the message then stays in the log. A
    /// message beyond 1 KiB is cut at the last whole character.
    pub fn public(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let (code, mut message) = (code.into(), message.into());
        if code.is_empty() || code.len() > MAX_CODE || code.contains(char::is_control) {
            return Self::internal(format!("{message} (its code {code:?} is no code)"));
        }
        let mut end = message.len().min(MAX_MESSAGE);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        Self::of(code, message, Cause::None)
    }

    /// A failure whose reason stays here, in the log: the other side gets the code `internal` and no text.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::of(Cow::Borrowed(code::INTERNAL), String::new(), Cause::Text(message.into()))
    }

    /// The failure for a packet whose payload does not decode: says which action and what the decoder found. Where it
    /// happens too often, the connection is closed.
    #[must_use]
    pub fn malformed(error: &(dyn Error + 'static)) -> Self {
        let mut message = error.to_string();
        let named = message.len();
        let mut source = error.source();
        while let Some(error) = source {
            message = format!("{message}: {error}");
            source = error.source();
        }
        let mut failure = Self::public(code::MALFORMED, message.chars().take(MAX_MALFORMED).collect::<String>());
        failure.0.cause = Cause::Malformed { named };
        failure
    }

    fn of(code: Cow<'static, str>, message: String, cause: Cause) -> Self {
        Self(Box::new(Parts { code, message, cause }))
    }

    /// Whether the sender's packet did not decode; made by [`malformed`](Self::malformed), not by a handler's own code.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        matches!(self.0.cause, Cause::Malformed { .. })
    }

    /// Whether it says of a packet that no handler took it: it did not decode, is not known, or came when this side takes
    /// nothing new. It goes by the code, so that a handler may say the same of a packet.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.0.code.as_ref(), code::GOING_AWAY | code::MALFORMED | code::UNKNOWN_ACTION)
    }

    /// The code the other side gets.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The message the other side gets; empty for internal failures.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error behind an internal failure, if `?` made it.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.0.cause {
            Cause::Error(error) => Some(&**error),
            Cause::None | Cause::Malformed { .. } | Cause::Text(_) => None,
        }
    }

    /// What belongs in the log: the code, and everything known about the reason, but for what stood in a packet that did
    /// not decode. Not for the other side.
    pub fn log_text(&self) -> impl fmt::Display + '_ {
        LogText(self)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(Cow::Borrowed(code::INTERNAL), String::new(), Cause::Error(Box::new(error)))
    }
}

struct LogText<'a>(&'a Failure);

impl fmt::Display for LogText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0.code)?;
        match &self.0.0.cause {
            Cause::None if self.0.0.message.is_empty() => Ok(()),
            Cause::None => write!(f, ": {}", self.0.0.message),
            Cause::Malformed { named } => {
                write!(f, ": {}", self.0.0.message.get(..*named).unwrap_or(&self.0.0.message))
            }
            Cause::Text(text) => write!(f, ": {text}"),
            Cause::Error(error) => {
                let mut error: &dyn Error = &**error;
                write!(f, ": {error}")?;
                while let Some(source) = error.source() {
                    write!(f, ": {source}")?;
                    error = source;
                }
                Ok(())
            }
        }
    }
}

const MAX_CODE: usize = 64;
const MAX_MESSAGE: usize = 1024;
const MAX_MALFORMED: usize = 256;
