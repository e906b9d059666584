//! How frames look in `Debug`: without handshake bodies, which hold tokens and credentials, and without payloads.

use std::fmt::{Debug, Formatter, Result};

use super::{Frame, StreamEnd};
use crate::secret::{Hidden, show};

/// Bodies and payloads are shown as their lengths.
impl Debug for Frame<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Hello(body) => f.debug_tuple("Hello").field(&Hidden::of(body)).finish(),
            Self::Welcome(body) => f.debug_tuple("Welcome").field(&Hidden::of(body)).finish(),
            Self::Differ(body) => f.debug_tuple("Differ").field(&Hidden::of(body)).finish(),
            Self::Offer(body) => f.debug_tuple("Offer").field(&Hidden::of(body)).finish(),
            Self::Shapes(body) => f.debug_tuple("Shapes").field(&Hidden::of(body)).finish(),
            Self::Time { micros } => show!(f, "Time", micros),
            Self::Packet { action, payload } => show!(f, "Packet", action, payload: hidden),
            Self::Call { id, action, timeout_ms, payload } => show!(f, "Call", id, action, timeout_ms, payload: hidden),
            Self::Reply { id, payload } => show!(f, "Reply", id, payload: hidden),
            Self::Error { id, payload } => show!(f, "Error", id, payload: hidden),
            Self::Failure { id, code, message } => show!(f, "Failure", id, code, message),
            Self::Item { id, payload } => show!(f, "Item", id, payload: hidden),
            Self::End { id, end } => show!(f, "End", id, end),
            Self::Cancel { id } => show!(f, "Cancel", id),
            Self::Credit { id, packets, bytes } => show!(f, "Credit", id, packets, bytes),
            Self::Ping { nonce } => show!(f, "Ping", nonce),
            Self::Pong { nonce } => show!(f, "Pong", nonce),
            Self::Close(close) => f.debug_tuple("Close").field(close).finish(),
        }
    }
}

/// The payload of the declared error is shown as its length.
impl Debug for StreamEnd<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Done => f.write_str("Done"),
            Self::Error(payload) => f.debug_tuple("Error").field(&Hidden::of(payload)).finish(),
            Self::Failure { code, message } => show!(f, "Failure", code, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_and_payloads_are_shown_as_lengths() {
        let payload = b"secret".as_slice();
        let frames = [
            Frame::Hello(payload),
            Frame::Welcome(payload),
            Frame::Differ(payload),
            Frame::Offer(payload),
            Frame::Shapes(payload),
            Frame::Packet { action: 1, payload },
            Frame::Call { id: 1, action: 2, timeout_ms: 3, payload },
            Frame::Reply { id: 1, payload },
            Frame::Error { id: 1, payload },
            Frame::Item { id: 1, payload },
            Frame::End { id: 1, end: StreamEnd::Error(payload) },
        ];
        // As text, as a list of numbers, and as one of numbers on lines of their own.
        let shown = format!("{frames:?}{frames:#?}").replace([' ', '\n'], "");
        assert!(!shown.contains("secret") && !shown.contains("115,101"), "{shown}");
        assert_eq!(format!("{:?}", frames[6]), "Call { id: 1, action: 2, timeout_ms: 3, payload: 6 bytes }");
        assert_eq!(format!("{:?}", frames[10]), "End { id: 1, end: Error(6 bytes) }");
    }
}
