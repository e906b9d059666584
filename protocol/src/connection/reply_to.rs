//! Where the answer to an incoming call goes.

use std::borrow::Cow;

/// What an answer needs to find its way back, in either dialect.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReplyTo {
    /// Nobody waits: a one-way packet in a native frame.
    Nobody,
    /// A call in a native frame, by its id.
    Native(u32),
    /// An object.
    Json {
        /// The id that came with it, to be brought back as `re`. `None`: its sender goes by the action of the answer.
        id: Option<CallId<'static>>,
        /// Number of the action that is answered, which says what the answer is called. `None`: there is no such action,
        /// or it has no answer.
        action: Option<u16>,
    },
}

impl ReplyTo {
    /// Whether somebody waits for an answer.
    pub const fn is_call(&self) -> bool {
        matches!(self, Self::Native(_) | Self::Json { action: Some(_), .. } | Self::Json { id: Some(_), .. })
    }

    /// Whether the answer can be tied to its call.
    pub const fn is_numbered(&self) -> bool {
        matches!(self, Self::Native(_) | Self::Json { id: Some(_), .. })
    }

    /// Number of the action that is answered, where the answer is named.
    pub const fn action(&self) -> Option<u16> {
        match self {
            Self::Json { action, .. } => *action,
            Self::Nobody | Self::Native(_) => None,
        }
    }
}

/// What names a call: chosen by the caller, brought back by the answer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the dialect has these two kinds")]
pub enum CallId<'a> {
    /// An integer from 0 to 2⁵³ − 1, written without fraction and exponent.
    Number(u64),
    /// A text of 1 to 64 bytes.
    Text(Cow<'a, str>),
}

impl CallId<'_> {
    /// The same id, on its own.
    pub fn into_owned(self) -> CallId<'static> {
        match self {
            Self::Number(number) => CallId::Number(number),
            Self::Text(text) => CallId::Text(Cow::Owned(text.into_owned())),
        }
    }
}
