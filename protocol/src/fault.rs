//! Why what was received cannot be read any further: the other side's fault each time, and the end of the connection.

use crate::{
    close::{CloseCode, CloseReason},
    connection::Violation,
};

/// Why a connection cannot be read any further: the other side's fault each time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The bytes are no object.
    #[error(transparent)]
    Json(#[from] JsonFault),
    /// A rule of the open state was broken.
    #[error(transparent)]
    Violation(#[from] Violation),
}

impl CloseReason for ReadError {
    fn close_code(&self) -> CloseCode {
        match self {
            Self::Frame(error) => error.close_code(),
            Self::Json(fault) => fault.close_code(),
            Self::Violation(violation) => violation.close_code(),
        }
    }
}

/// Why received bytes are no frame. The peer's fault each time, and the end of the connection: what follows cannot be
/// told apart any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The peer announced a frame above the limit it was told.
    #[error("frame of {len} bytes exceeds the limit of {max}")]
    TooLong {
        /// Length announced, in bytes.
        len: u32,
        /// Limit in force, in bytes.
        max: u32,
    },
    /// The peer announced a frame without even a kind.
    #[error("frame without a kind")]
    Empty,
    /// The peer sent a kind this wire version does not have.
    #[error("frame of unknown kind {0:#04x}")]
    UnknownKind(u8),
    /// The peer sent fields that do not fit the kind.
    #[error("malformed {frame} frame: {what}")]
    Malformed {
        /// The kind's name.
        frame: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl CloseReason for FrameError {
    fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } => CloseCode::FrameTooLong,
            _ => CloseCode::ProtocolError,
        }
    }
}

/// Why what was received is no sequence of objects. The sender's fault, and the end of the connection: what follows
/// cannot be told apart any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// Between two objects, or before the first, stands something that is no whitespace.
    #[error("an object begins with {{, and this begins with byte {byte:#04x}")]
    NoObject {
        /// What stands there.
        byte: u8,
    },
    /// A bracket closes another kind of bracket.
    #[error("a `{found}` closes what it does not open")]
    Bracket {
        /// The bracket that was found.
        found: char,
    },
    /// An object is longer than this side takes.
    #[error("an object of more than {max} bytes")]
    TooLong {
        /// Limit in force, in bytes.
        max: u32,
    },
}

impl CloseReason for JsonFault {
    fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } => CloseCode::FrameTooLong,
            _ => CloseCode::ProtocolError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::close_for;

    #[test]
    fn a_frame_above_the_limit_has_its_own_code() {
        let (code, reason) = close_for(&FrameError::TooLong { len: 9, max: 8 });
        assert_eq!((code, reason.as_str()), (CloseCode::FrameTooLong, "frame of 9 bytes exceeds the limit of 8"));
    }
}
