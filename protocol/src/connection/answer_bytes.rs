//! Answers, copied out of the read buffer for callers who have not looked yet.

use std::fmt;

use super::{Answer, Calls};
use crate::secret::Hidden;

/// An answer; its decoding is the caller's.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "these are all the ways in which a call is answered")]
pub enum AnswerBytes {
    /// The declared answer.
    Reply(Payload),
    /// The declared error.
    Error(Payload),
    /// The end of a stream.
    End,
    /// Why there is none as declared.
    Failure(Box<Told>),
}

/// The payload of an answer.
#[expect(clippy::exhaustive_enums, reason = "it is short or long")]
pub enum Payload {
    /// So many bytes of the [`Short`] that comes with it.
    Short(u8),
    /// These.
    Long(Vec<u8>),
}

/// Why a call was not answered as declared, as the peer says.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a failure is a code and a message")]
pub struct Told {
    /// See [`failure::code`](crate::failure::code).
    pub code: String,
    /// For people.
    pub message: String,
}

/// A short payload.
pub type Short = [u8; SHORT_LEN];

/// Payloads of short answers, a place for each call: used again and again, and moved twice only.
pub(super) struct Shorts(Vec<Short>);

impl Shorts {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Keeps a payload that is short.
    #[inline]
    pub(super) fn put(&mut self, id: u32, payload: &[u8]) -> Option<Payload> {
        let (place, len) = (Calls::<()>::place_of(id), u8::try_from(payload.len()).ok()?);
        if payload.len() > SHORT_LEN {
            return None;
        }
        if self.0.len() <= place {
            self.0.resize(place + 1, [0; SHORT_LEN]);
        }
        self.0.get_mut(place)?.get_mut(..payload.len())?.copy_from_slice(payload);
        Some(Payload::Short(len))
    }

    /// What was kept for a call. All of it, as a copy of known length is a few instructions.
    #[inline]
    pub(super) fn copy(&self, id: u32, short: &mut Short) {
        if let Some(kept) = self.0.get(Calls::<()>::place_of(id)) {
            *short = *kept;
        }
    }
}

impl Payload {
    /// The bytes, which are in `short` if they are few.
    pub fn bytes<'a>(&'a self, short: &'a Short) -> &'a [u8] {
        match self {
            Self::Short(len) => short.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(payload) => payload,
        }
    }
}

/// The length alone.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = match self {
            Self::Short(len) => usize::from(*len),
            Self::Long(payload) => payload.len(),
        };
        Hidden(len).fmt(f)
    }
}

impl AnswerBytes {
    pub(super) fn copy(answer: &Answer<'_>, id: u32, shorts: &mut Shorts) -> Self {
        let mut keep = |payload: &[u8]| shorts.put(id, payload).unwrap_or_else(|| Payload::Long(payload.to_vec()));
        match *answer {
            Answer::Reply(payload) => Self::Reply(keep(payload)),
            Answer::Error(payload) => Self::Error(keep(payload)),
            Answer::End => Self::End,
            Answer::Failure { code, message } => {
                Self::Failure(Box::new(Told { code: code.to_owned(), message: message.to_owned() }))
            }
        }
    }

    /// Whether its payload is in the [`Shorts`].
    pub(super) const fn is_short(&self) -> bool {
        matches!(self, Self::Reply(Payload::Short(_)) | Self::Error(Payload::Short(_)))
    }
}

/// What a small packet needs, and one that holds a few texts.
pub const SHORT_LEN: usize = 104;
