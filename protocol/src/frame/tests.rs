//! Unit tests of the frame codec; properties over arbitrary frames stand in the `tests` package.

use super::*;
use crate::close::{CloseCode, Retry};

const MAX: u32 = 1 << 20;

fn samples() -> Vec<Frame<'static>> {
    vec![
        Frame::Hello(b"\x01\x00\x00"),
        Frame::Welcome(b""),
        Frame::Differ(b"x"),
        Frame::Offer(b""),
        Frame::Shapes(b"abc"),
        Frame::Time { micros: -5 },
        Frame::Packet { action: 513, payload: b"hi" },
        Frame::Call { id: 7, action: 3, timeout_ms: 30_000, payload: b"" },
        Frame::Reply { id: 7, payload: b"yes" },
        Frame::Error { id: 7, payload: b"no" },
        Frame::Failure { id: 7, code: "busy", message: "64 calls are open" },
        Frame::Item { id: 9, payload: b"1" },
        Frame::End { id: 9, end: StreamEnd::Done },
        Frame::End { id: 9, end: StreamEnd::Error(b"e") },
        Frame::End { id: 9, end: StreamEnd::Failure { code: "internal", message: "" } },
        Frame::Cancel { id: 7 },
        Frame::Credit { id: 0, packets: 32, bytes: 4096 },
        Frame::Ping { nonce: u64::MAX },
        Frame::Pong { nonce: 1 },
        Frame::Close(Close::new(CloseCode::GoingAway, "restart").with_retry(Retry::After(1500))),
        Frame::Close(Close::new(CloseCode::Other(40_000), "").with_retry(Retry::Never)),
    ]
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

#[test]
fn every_kind_comes_back() {
    for frame in samples() {
        let bytes = encoded(&frame);
        assert_eq!(decode(&bytes, MAX), Ok(Some((frame, bytes.len()))), "{}", frame.name());
        assert_eq!(needed(&bytes), 0);
    }
}

#[test]
fn every_prefix_wants_more() {
    for frame in samples() {
        let bytes = encoded(&frame);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end], MAX), Ok(None), "{} cut at {end}", frame.name());
            let missing = needed(&bytes[..end]);
            assert!(missing > 0 && missing <= bytes.len() - end, "{} cut at {end}: {missing}", frame.name());
        }
    }
}

#[test]
fn bytes_of_a_call_are_as_documented() {
    let bytes = encoded(&Frame::Call { id: 0x0403_0201, action: 0x0605, timeout_ms: 9, payload: b"p" });
    assert_eq!(bytes, [12, 0, 0, 0, 0x12, 1, 2, 3, 4, 5, 6, 9, 0, 0, 0, b'p']);
}

#[test]
fn a_time_frame_has_13_bytes() {
    assert_eq!(encoded(&Frame::Time { micros: 1 }).len(), 13);
}

#[test]
fn rejects_length_above_limit_at_once() {
    assert_eq!(decode(&[9, 0, 0, 0], 8), Err(FrameError::TooLong { len: 9, max: 8 }));
    assert_eq!(decode(&[0xFF; 4], 8), Err(FrameError::TooLong { len: u32::MAX, max: 8 }));
    assert_eq!(decode(&[8, 0, 0, 0], 8), Ok(None));
}

#[test]
fn rejects_frames_without_kind_and_of_unknown_kind_at_once() {
    assert_eq!(decode(&[0; 4], 8), Err(FrameError::Empty));
    assert_eq!(decode(&[8, 0, 0, 0, 0x30], 8), Err(FrameError::UnknownKind(0x30)));
}

#[test]
fn known_kinds_are_those_listed() {
    let known: Vec<u8> = (0..=255).filter(|byte| Kind::from_u8(*byte).is_some()).collect();
    assert!(known.iter().all(|byte| Kind::from_u8(*byte).is_some_and(|kind| kind as u8 == *byte)));
    assert_eq!(known.len(), 18);
}

fn check_malformed(bytes: &[u8], expected: &str) {
    let error = decode(bytes, MAX).expect_err("must be refused").to_string();
    assert_eq!(error, expected);
}

#[test]
fn rejects_fields_that_do_not_fit() {
    check_malformed(&[2, 0, 0, 0, 0x18, 1], "malformed CANCEL frame: a field is missing");
    check_malformed(&[6, 0, 0, 0, 0x18, 1, 0, 0, 0, 9], "malformed CANCEL frame: there are bytes after the last field");
    check_malformed(&[6, 0, 0, 0, 0x17, 1, 0, 0, 0, 3], "malformed END frame: the way it ends is unknown");
    check_malformed(&[6, 0, 0, 0, 0x15, 1, 0, 0, 0, 0], "malformed FAILURE frame: the code is not 1 to 64 bytes long");
    check_malformed(&[7, 0, 0, 0, 0x15, 1, 0, 0, 0, 1, 0xFF], "malformed FAILURE frame: the code is not UTF-8");
    check_malformed(&[9, 0, 0, 0, 0x22, 0, 0, 0, 0, 0, 0, 0, 0xFF], "malformed CLOSE frame: the text is not UTF-8");
}

#[test]
fn long_texts_are_cut_when_written() {
    let long = "ä".repeat(2000);
    let bytes = encoded(&Frame::Failure { id: 1, code: &long, message: &long });
    let Ok(Some((Frame::Failure { code, message, .. }, _))) = decode(&bytes, MAX) else {
        panic!("a cut failure is whole");
    };
    assert_eq!((code.len(), message.len()), (64, 1024));
    let bytes = encoded(&Frame::Close(Close::new(CloseCode::Normal, &long)));
    assert!(matches!(decode(&bytes, MAX), Ok(Some((Frame::Close(close), _))) if close.reason.len() == 1024));
}

#[test]
fn unknown_retry_advice_is_none() {
    let mut bytes = encoded(&Frame::Close(Close::new(CloseCode::Normal, "")));
    bytes[7] = 77;
    assert_eq!(decode(&bytes, MAX), Ok(Some((Frame::Close(Close::new(CloseCode::Normal, "")), bytes.len()))));
}

#[test]
fn marks_write_what_the_writers_write() {
    let mut out = vec![1, 2, 3];
    let mark = begin_call(&mut out, 5, 6, 7);
    out.extend_from_slice(b"pay");
    assert_eq!(mark.finish(&mut out, 14), Ok(14));
    let mark = begin_reply(&mut out, 8);
    out.extend_from_slice(b"err");
    assert_eq!(mark.finish_error(&mut out, 14), Ok(8));
    let mark = begin_packet(&mut out, 9);
    assert_eq!(mark.finish(&mut out, 14), Ok(3));

    let mut expected = vec![1, 2, 3];
    put_call(&mut expected, 5, 6, 7, b"pay");
    put_error(&mut expected, 8, b"err");
    put_packet(&mut expected, 9, b"");
    assert_eq!(out, expected);
}

#[test]
fn a_frame_too_long_leaves_nothing_behind() {
    let mut out = vec![1];
    let mark = begin_packet(&mut out, 9);
    out.extend_from_slice(&[0; 20]);
    assert_eq!(mark.finish(&mut out, 22), Err(FrameTooLong { len: 23, max: 22 }));
    assert_eq!(out, [1]);
}
