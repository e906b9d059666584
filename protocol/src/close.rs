//! Why a connection ends: the codes and the reason that the CLOSE frame carries, and what errors say of them
//! ([`CloseReason`]).
//!
//! The codes, when each is sent and whether a retry makes sense: `docs/wire.md` §9.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use std::fmt;

use crate::{limits::TEXT_LEN, text::cut};

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $number:literal $word:literal,)*) => {
        /// Why a connection ends, as a number on the wire and a word in logs.
        ///
        /// A code this version does not know is kept as [`Other`](Self::Other). Codes from 32,768 up belong to applications.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum CloseCode {
            $($(#[$doc])* $code,)*
            /// A code of a later version or of the application.
            Other(u16),
        }

        impl CloseCode {
            /// The code with this number.
            pub const fn from_u16(number: u16) -> Self {
                match number {
                    $($number => Self::$code,)*
                    other => Self::Other(other),
                }
            }

            /// The number on the wire.
            pub const fn to_u16(self) -> u16 {
                match self {
                    $(Self::$code => $number,)*
                    Self::Other(number) => number,
                }
            }
        }

        /// The words of the codes, by their numbers.
        const WORDS: &[&str] = &[$($word,)*];
    };
}

codes! {
    /// Nothing is wrong; one side is done.
    Normal = 0 "normal",
    /// The program is shutting down; a new connection may reach its successor.
    GoingAway = 1 "going-away",
    /// The connect handler did not want this peer.
    Refused = 2 "refused",
    /// The credentials were missing, wrong or worn out.
    Unauthorized = 3 "unauthorized",
    /// The two sides were built from different protocols.
    ProtocolMismatch = 4 "protocol-mismatch",
    /// The two sides have no wire version in common.
    VersionUnsupported = 5 "version-unsupported",
    /// The peer broke a rule of the wire.
    ProtocolError = 6 "protocol-error",
    /// The peer announced a frame above the limit it was told.
    FrameTooLong = 7 "frame-too-long",
    /// The handshake was not finished in time.
    HandshakeTimeout = 8 "handshake-timeout",
    /// The peer was silent for too long.
    Timeout = 9 "timeout",
    /// The peer did not read what was written to it.
    SlowConsumer = 10 "slow-consumer",
    /// This side has more to do than it can hold.
    Overloaded = 11 "overloaded",
    /// The peer sent too many faulty or cancelled requests.
    Abuse = 12 "abuse",
    /// This side has a fault of its own.
    Internal = 13 "internal",
    /// The stream ended or the transport broke without a CLOSE frame. On the wire only as the last word to a side that
    /// has ended its stream and may still read.
    Lost = 14 "lost",
}

impl CloseCode {
    /// The code that [`Display`](fmt::Display) writes like this; `None` if none does.
    pub fn from_word(word: &str) -> Option<Self> {
        let number = match word.strip_prefix("code-") {
            Some(number) => number.parse().ok()?,
            None => u16::try_from(WORDS.iter().position(|known| *known == word)?).ok()?,
        };
        Some(Self::from_u16(number)).filter(|code| code.to_string() == word)
    }

    /// Whether it is of use to connect again, with growing pauses, if the CLOSE does not say: the last column of
    /// `docs/wire.md` §9.
    ///
    /// Not after [`Normal`](Self::Normal), after a refusal, between programs that do not fit, and after a rule was broken.
    /// Codes of applications and of later versions are as [`Internal`](Self::Internal): it is.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Normal
            | Self::Refused
            | Self::Unauthorized
            | Self::ProtocolMismatch
            | Self::VersionUnsupported
            | Self::ProtocolError
            | Self::FrameTooLong
            | Self::Abuse => false,
            Self::GoingAway
            | Self::HandshakeTimeout
            | Self::Timeout
            | Self::SlowConsumer
            | Self::Overloaded
            | Self::Internal
            | Self::Lost
            | Self::Other(_) => true,
        }
    }
}

/// The word `docs/wire.md` uses: `slow-consumer`; `code-77` for codes without one.
impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match WORDS.get(usize::from(self.to_u16())) {
            Some(word) => f.write_str(word),
            None => write!(f, "code-{}", self.to_u16()),
        }
    }
}

/// Whether whoever is closed should come back.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Retry {
    /// Nothing was said: the closed side does what it usually does for this code.
    #[default]
    Unspecified,
    /// Come back, but not before this many milliseconds.
    After(u32),
    /// Coming back is of no use: nothing will have changed.
    Never,
}

impl Retry {
    /// Come back, but not before so long. Less than a millisecond is rounded up, more than 49 days are cut.
    pub const fn after(wait: std::time::Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        // Checked just before.
        #[expect(clippy::cast_possible_truncation, reason = "it is compared first")]
        Self::After(if millis < u32::MAX as u128 { millis as u32 } else { u32::MAX })
    }
}

/// What a CLOSE frame says.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Close<'a> {
    /// Why the connection ends.
    pub code: CloseCode,
    /// Whether to come back.
    pub retry: Retry,
    /// For people. At most [`TEXT_LEN`] bytes on the wire: a longer one is cut when written. From the peer it is text
    /// of unknown origin; escape it before it reaches a terminal.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// A close that leaves the question of a retry to the code's usual answer.
    pub const fn new(code: CloseCode, reason: &'a str) -> Self {
        Self { code, retry: Retry::Unspecified, reason }
    }

    /// The same close with advice about coming back.
    #[must_use]
    pub const fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }
}

/// An error that ends a connection, and what the peer is told about it. Each error's own module says so.
pub trait CloseReason: fmt::Display {
    /// The code that stands for it.
    fn close_code(&self) -> CloseCode;

    /// The reason in words: short, and with nothing of this side's schema, whatever the error knows.
    fn close_reason(&self) -> String {
        self.to_string()
    }
}

/// The code and the reason that tell the peer about `error`, as long as a CLOSE may be.
pub fn close_for(error: &impl CloseReason) -> (CloseCode, String) {
    let mut reason = error.close_reason();
    reason.truncate(cut(&reason, TEXT_LEN).len());
    (error.close_code(), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for number in 0..=u16::MAX {
            let code = CloseCode::from_u16(number);
            assert_eq!(code.to_u16(), number);
            assert_eq!(CloseCode::from_word(&code.to_string()), Some(code));
        }
    }

    #[test]
    fn words_are_those_of_the_document() {
        assert_eq!(CloseCode::SlowConsumer.to_string(), "slow-consumer");
        assert_eq!(CloseCode::from_u16(77).to_string(), "code-77");
        assert_eq!(CloseCode::from_u16(14), CloseCode::Lost);
        for word in ["", "Normal", "code-0", "code-077", "code-+77", "code-70000", "code-"] {
            assert_eq!(CloseCode::from_word(word), None, "{word}");
        }
    }

    #[test]
    fn what_may_be_tried_again_is_what_the_document_says() {
        let document = include_str!("../../docs/wire.md");
        let mut rows = 0;
        for row in document.lines().skip_while(|line| !line.starts_with("## 9.")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            if let [_, number, _, _, again, _] = cells[..]
                && let Ok(number) = number.parse()
            {
                assert_eq!(CloseCode::from_u16(number).is_retryable(), again.starts_with("yes"), "{row}");
                rows += 1;
            }
            if row.starts_with("## 10.") {
                break;
            }
        }
        assert_eq!(rows, 15);
        assert!(CloseCode::Other(40_000).is_retryable());
    }
}
