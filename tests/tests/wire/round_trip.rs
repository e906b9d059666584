//! Decoding undoes encoding, whatever the fields.

use proptest::prelude::*;

use pnet_protocol::close::{Close, CloseCode, Retry};
use pnet_protocol::frame::{Frame, FrameError, StreamEnd, decode, needed};
use pnet_protocol::handshake::{ClientHandshake, ServerHandshake, ServerStep, ShapePolicy};
use pnet_protocol::id::{ConnectionId, SessionToken};
use pnet_protocol::limits::Limits;

use crate::protocols::OLD;

/// What frames borrow from.
#[derive(Clone, Debug)]
struct Parts {
    id: u32,
    other: u32,
    action: u16,
    long: u64,
    payload: Vec<u8>,
    code: String,
    text: String,
}

fn parts() -> impl Strategy<Value = Parts> {
    let payload = proptest::collection::vec(any::<u8>(), 0..300);
    let texts = ("\\PC{1,16}", "\\PC{0,200}");
    (any::<u32>(), any::<u32>(), any::<u16>(), any::<u64>(), payload, texts).prop_map(
        |(id, other, action, long, payload, (code, text))| Parts { id, other, action, long, payload, code, text },
    )
}

/// One frame of every form, made of the same parts.
fn frames(parts: &Parts) -> Vec<Frame<'_>> {
    let Parts { id, other, action, long, ref payload, ref code, ref text } = *parts;
    let (payload, code, message) = (payload.as_slice(), code.as_str(), text.as_str());
    let close = Close::new(CloseCode::from_u16(action), message);
    vec![
        Frame::Hello(payload),
        Frame::Welcome(payload),
        Frame::Differ(payload),
        Frame::Offer(payload),
        Frame::Shapes(payload),
        Frame::Time { micros: long.cast_signed() },
        Frame::Packet { action, payload },
        Frame::Call { id, action, timeout_ms: other, payload },
        Frame::Reply { id, payload },
        Frame::Error { id, payload },
        Frame::Failure { id, code, message },
        Frame::Item { id, payload },
        Frame::End { id, end: StreamEnd::Done },
        Frame::End { id, end: StreamEnd::Error(payload) },
        Frame::End { id, end: StreamEnd::Failure { code, message } },
        Frame::Cancel { id },
        Frame::Credit { id, packets: other, bytes: other },
        Frame::Ping { nonce: long },
        Frame::Pong { nonce: long },
        Frame::Close(close),
        Frame::Close(close.with_retry(Retry::After(other))),
        Frame::Close(close.with_retry(Retry::Never)),
    ]
}

proptest! {
    #[test]
    fn frames_come_back(parts in parts()) {
        let frames = frames(&parts);
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.encode(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        for frame in &frames {
            let (decoded, used) = decode(rest, u32::MAX).unwrap().unwrap();
            prop_assert_eq!(&decoded, frame);
            rest = &rest[used..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn cut_frames_want_what_is_missing(parts in parts(), which in 0..22_usize, at in any::<proptest::sample::Index>()) {
        let mut bytes = Vec::new();
        frames(&parts)[which].encode(&mut bytes);
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(decode(cut, u32::MAX), Ok(None));
        let missing = needed(cut);
        prop_assert!(missing >= 1 && cut.len() + missing <= bytes.len());
    }

    #[test]
    fn limits_hold_to_the_byte(parts in parts(), which in 0..22_usize) {
        let mut bytes = Vec::new();
        frames(&parts)[which].encode(&mut bytes);
        let length = u32::try_from(bytes.len() - 4).unwrap();
        prop_assert!(decode(&bytes, length).is_ok_and(|frame| frame.is_some()));
        let refused = Err(FrameError::TooLong { len: length, max: length - 1 });
        prop_assert_eq!(decode(&bytes, length - 1), refused);
        prop_assert_eq!(decode(&bytes[..4], length - 1), refused);
    }

    #[test]
    fn the_handshake_hands_everything_over(
        credentials in proptest::collection::vec(any::<u8>(), 0..3072),
        numbers in any::<[u32; 6]>(),
        (id, token, heartbeat_ms) in any::<([u8; 16], [u8; 16], u32)>(),
    ) {
        let [frame, calls, packets, bytes, streams, items] = numbers;
        let mut limits = Limits::default();
        limits.max_frame_len(frame).calls(calls).packets(packets).packet_bytes(bytes).streams(streams).stream_items(items);
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut client = ClientHandshake::new(&OLD, &credentials, &limits, ShapePolicy::Names, &mut to_server);
        let mut server = ServerHandshake::new(&OLD, &limits);
        let (used, step) = server.handle(&to_server, &mut to_client).unwrap();
        prop_assert_eq!(used, to_server.len());
        let ServerStep::Hello(hello) = step else { panic!("{step:?}") };
        prop_assert_eq!((hello.credentials.as_bytes(), hello.limits, hello.matches), (credentials.as_slice(), limits, true));

        let token = SessionToken::from_bytes(token);
        server.welcome(ConnectionId::from_bytes(id), Some(&token), heartbeat_ms, &mut to_client);
        let (used, welcomed) = client.handle(&to_client, &mut Vec::new()).unwrap();
        prop_assert_eq!(used, to_client.len());
        let welcomed = welcomed.unwrap();
        prop_assert_eq!((*welcomed.connection_id.as_bytes(), welcomed.limits), (id, limits));
        prop_assert!(welcomed.token.is_some_and(|read| read.ct_eq(&token)) && welcomed.heartbeat_ms == heartbeat_ms);
    }
}
