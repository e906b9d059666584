//! How events look in `Debug`: with the lengths of payloads, and without what stands in them.

use std::fmt::{Debug, Formatter, Result};

use super::{Answer, Call, Event, Named, Packet, WelcomeText};
use crate::secret::Hidden;

/// The payload is shown as its length.
impl Debug for Call<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("action", &self.info.action)
            .field("timeout_ms", &self.timeout_ms)
            .field("payload", &Hidden::of(self.payload))
            .finish()
    }
}

/// The payload is shown as its length.
impl Debug for Packet<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Packet")
            .field("action", &self.info.action)
            .field("payload", &Hidden::of(self.payload))
            .field("frame_len", &self.frame_len)
            .finish()
    }
}

/// Payloads are shown as their lengths.
impl Debug for Event<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Time { micros } => f.debug_struct("Time").field("micros", micros).finish(),
            Self::Packet { action, payload, frame_len } => f
                .debug_struct("Packet")
                .field("action", action)
                .field("payload", &Hidden::of(payload))
                .field("frame_len", frame_len)
                .finish(),
            Self::Call { id, action, timeout_ms, payload, to } => f
                .debug_struct("Call")
                .field("id", id)
                .field("action", action)
                .field("timeout_ms", timeout_ms)
                .field("payload", &Hidden::of(payload))
                .field("to", to)
                .finish(),
            Self::Busy { to, stream } => f.debug_struct("Busy").field("to", to).field("stream", stream).finish(),
            Self::Refused { to, code, message } => {
                f.debug_struct("Refused").field("to", to).field("code", code).field("message", message).finish()
            }
            Self::Named(named) => f.debug_tuple("Named").field(named).finish(),
            Self::Greeted { limits } => f.debug_struct("Greeted").field("limits", limits).finish(),
            Self::Welcomed(text) => f.debug_tuple("Welcomed").field(text).finish(),
            Self::SchemaAsked { to, shapes } => {
                f.debug_struct("SchemaAsked").field("to", to).field("shapes", shapes).finish()
            }
            Self::Answer { id, answer } => f.debug_struct("Answer").field("id", id).field("answer", answer).finish(),
            Self::Item { id, payload, len } => {
                f.debug_struct("Item").field("id", id).field("payload", &Hidden::of(payload)).field("len", len).finish()
            }
            Self::Cancel { id } => f.debug_struct("Cancel").field("id", id).finish(),
            Self::Credit { packets, bytes } => {
                f.debug_struct("Credit").field("packets", packets).field("bytes", bytes).finish()
            }
            Self::StreamCredit { id, items, bytes } => {
                f.debug_struct("StreamCredit").field("id", id).field("items", items).field("bytes", bytes).finish()
            }
            Self::Ping { nonce } => f.debug_struct("Ping").field("nonce", nonce).finish(),
            Self::Pong { nonce } => f.debug_struct("Pong").field("nonce", nonce).finish(),
            Self::Close { code, retry, reason } => {
                f.debug_struct("Close").field("code", code).field("retry", retry).field("reason", reason).finish()
            }
            Self::Ignored => f.write_str("Ignored"),
        }
    }
}

/// Payloads are shown as their lengths.
impl Debug for Answer<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Reply(payload) => f.debug_tuple("Reply").field(&Hidden::of(payload)).finish(),
            Self::Error(payload) => f.debug_tuple("Error").field(&Hidden::of(payload)).finish(),
            Self::End => f.write_str("End"),
            Self::Failure { code, message } => {
                f.debug_struct("Failure").field("code", code).field("message", message).finish()
            }
        }
    }
}

/// The data is shown as its length.
impl Debug for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Named")
            .field("re", &self.re)
            .field("action", &self.action)
            .field("data", &self.data.map(Hidden::of))
            .field("len", &self.len)
            .finish()
    }
}

impl Debug for WelcomeText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("WelcomeText(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ReplyTo;

    #[test]
    fn payloads_are_shown_as_lengths() {
        let payload = b"secret".as_slice();
        let events = [
            Event::Packet { action: 1, payload, frame_len: 9 },
            Event::Call { id: 1, action: 2, timeout_ms: 0, payload, to: ReplyTo::Native(1) },
            Event::Answer { id: 1, answer: Answer::Reply(payload) },
            Event::Answer { id: 1, answer: Answer::Error(payload) },
            Event::Item { id: 1, payload, len: 11 },
        ];
        let shown = format!("{events:?}{events:#?}").replace([' ', '\n'], "");
        assert!(!shown.contains("secret") && !shown.contains("115,101"), "{shown}");
        assert_eq!(format!("{:?}", events[4]), "Item { id: 1, payload: 6 bytes, len: 11 }");
    }
}
