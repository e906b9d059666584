//! Frames and events with their payloads, for tests that compare what was read: `Debug` shows lengths only.

use pnet_protocol::{
    connection::{Answer, Call, Event, Packet, Usual},
    frame::{Frame, StreamEnd},
    secret::Hidden,
};

/// A frame with its payload as numbers: `Reply { id: 1, payload: [5] }`.
pub fn frame(frame: &Frame<'_>) -> String {
    let payload = match frame {
        Frame::Hello(payload)
        | Frame::Welcome(payload)
        | Frame::Differ(payload)
        | Frame::Offer(payload)
        | Frame::Shapes(payload)
        | Frame::Packet { payload, .. }
        | Frame::Call { payload, .. }
        | Frame::Reply { payload, .. }
        | Frame::Error { payload, .. }
        | Frame::Item { payload, .. }
        | Frame::End { end: StreamEnd::Error(payload), .. } => Some(*payload),
        _ => None,
    };
    with(format!("{frame:?}"), payload)
}

/// An event with its payload as numbers: `Answer { id: 1, answer: Reply([5]) }`.
pub fn event(event: &Event<'_>) -> String {
    let payload = match event {
        Event::Usual(
            Usual::Packet(Packet { payload, .. }) | Usual::Call(Call { payload, .. }) | Usual::Reply { payload, .. },
        )
        | Event::Item { payload, .. }
        | Event::Answer { answer: Answer::Reply(payload) | Answer::Error(payload), .. } => Some(*payload),
        Event::Named(named) => named.data,
        _ => None,
    };
    with(format!("{event:?}"), payload)
}

fn with(shown: String, payload: Option<&[u8]>) -> String {
    match payload {
        Some(payload) => shown.replacen(&format!("{:?}", Hidden::of(payload)), &format!("{payload:?}"), 1),
        None => shown,
    }
}
