//! How events look in `Debug`: with the lengths of payloads, and without what stands in them.

use std::fmt::{Debug, Formatter, Result};

use super::{Answer, Call, Event, Named, Packet, Usual, WelcomeText};
use crate::secret::{Hidden, show};

/// The payload is shown as its length.
impl Debug for Call<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { id, action, timeout_ms, payload } = self;
        show!(f, "Call", id, action, timeout_ms, payload: hidden)
    }
}

/// The payload is shown as its length.
impl Debug for Packet<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { action, payload, frame_len } = self;
        show!(f, "Packet", action, payload: hidden, frame_len)
    }
}

/// Payloads are shown as their lengths.
impl Debug for Event<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Usual(usual) => usual.fmt(f),
            Self::Busy { to, stream } => show!(f, "Busy", to, stream),
            Self::Refused { to, code, message } => show!(f, "Refused", to, code, message),
            Self::Named(named) => f.debug_tuple("Named").field(named).finish(),
            Self::Greeted { limits } => show!(f, "Greeted", limits),
            Self::Welcomed(text) => f.debug_tuple("Welcomed").field(text).finish(),
            Self::SchemaAsked { to, shapes } => show!(f, "SchemaAsked", to, shapes),
            Self::Answer { id, answer } => show!(f, "Answer", id, answer),
            Self::Item { id, payload, len } => show!(f, "Item", id, payload: hidden, len),
            Self::Cancel { id } => show!(f, "Cancel", id),
            Self::Credit { packets, bytes } => show!(f, "Credit", packets, bytes),
            Self::StreamCredit { id, items, bytes } => show!(f, "StreamCredit", id, items, bytes),
            Self::Ping { nonce } => show!(f, "Ping", nonce),
            Self::Pong { nonce } => show!(f, "Pong", nonce),
            Self::Close { code, retry, reason } => show!(f, "Close", code, retry, reason),
            Self::Ignored => f.write_str("Ignored"),
        }
    }
}

/// Payloads are shown as their lengths.
impl Debug for Usual<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Time { micros } => show!(f, "Time", micros),
            Self::Packet(packet) => packet.fmt(f),
            Self::Call(call) => call.fmt(f),
            Self::Reply { id, payload } => show!(f, "Reply", id, payload: hidden),
            Self::Object { re, action, data, len } => show!(f, "Object", re, action, data: hidden, len),
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
            Self::Failure { code, message } => show!(f, "Failure", code, message),
        }
    }
}

/// The data is shown as its length.
impl Debug for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { re, action, len, .. } = self;
        let data = &self.data.map(Hidden::of);
        show!(f, "Named", re, action, data, len)
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

    #[test]
    fn payloads_are_shown_as_lengths() {
        let payload = b"secret".as_slice();
        let events = [
            Event::Usual(Usual::Packet(Packet { action: 1, payload, frame_len: 9 })),
            Event::Usual(Usual::Call(Call { id: 1, action: 2, timeout_ms: 0, payload })),
            Event::Usual(Usual::Reply { id: 1, payload }),
            Event::Answer { id: 1, answer: Answer::Reply(payload) },
            Event::Answer { id: 1, answer: Answer::Error(payload) },
            Event::Item { id: 1, payload, len: 11 },
        ];
        let shown = format!("{events:?}{events:#?}").replace([' ', '\n'], "");
        assert!(!shown.contains("secret") && !shown.contains("115,101"), "{shown}");
        assert_eq!(format!("{:?}", events[5]), "Item { id: 1, payload: 6 bytes, len: 11 }");
    }
}
