//! What the tests of the dialects share.

use std::{future::poll_fn, pin::Pin, task::Poll};

use pnet_protocol::json::Envelope;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// One object as the Python library writes it.
pub(crate) fn old_packet(action: &str, data: &Value, token: &Value) -> String {
    let (action, data) = (Value::from(action), spaced(data));
    format!(r#"{{"action": {action}, "data": {data}, "packet-created": 1671900000.123456, "token": {token}}}"#)
}

/// With `, ` and `: ` between items.
fn spaced(data: &Value) -> String {
    match data {
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key:?}: {}", spaced(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// Reads as the Python library does: one read of at most 1,024 bytes is one packet. `None` at the end of the stream.
///
/// Anything else would stop that library from reading for good, and is a panic here.
pub(crate) async fn read_as_old(io: &mut (impl AsyncRead + Unpin)) -> Option<Value> {
    // A byte more, to tell what is longer from what fits.
    let mut buffer = [0; 1025];
    let read = io.read(&mut buffer).await.expect("memory reads");
    if read == 0 {
        return None;
    }
    let text = str::from_utf8(&buffer[..read]).expect("UTF-8");
    assert!(read <= 1024, "a packet, or several, of more than 1024 bytes: {text}");
    let packet: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("not one packet: {error}: {text}"));
    assert!(packet["action"].is_string(), "{packet}");
    assert!(packet.get("data").is_some(), "{packet}");
    Some(packet)
}

/// Writes an object.
pub(crate) async fn write(io: &mut (impl AsyncWrite + Unpin), object: &str) {
    io.write_all(object.as_bytes()).await.expect("memory writes");
}

/// Reads whole lines until one is an object with that action; all that were read come back.
pub(crate) async fn read_until(io: &mut (impl AsyncRead + Unpin), action: &str) -> Vec<Value> {
    let (mut bytes, mut objects) = (Vec::new(), Vec::new());
    loop {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            let known = Envelope::read(line.trim_ascii()).expect("one object a line").action == action;
            objects.push(serde_json::from_slice(&line).expect("JSON"));
            if known {
                return objects;
            }
        }
        assert_ne!(io.read_buf(&mut bytes).await.expect("memory reads"), 0, "the end, after {objects:?}");
    }
}

/// What a transport has to say at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Now {
    Nothing,
    Ended,
    Bytes(Vec<u8>),
}

/// Reads what is there, without waiting for anything.
pub(crate) async fn read_now(io: &mut (impl AsyncRead + Unpin)) -> Now {
    let mut buffer = [0; 2048];
    // Else a test that looks at many gets to hear after some that there is nothing.
    let looking = poll_fn(|task| {
        let mut space = ReadBuf::new(&mut buffer);
        Poll::Ready(match Pin::new(&mut *io).poll_read(task, &mut space) {
            Poll::Pending => Now::Nothing,
            Poll::Ready(Ok(())) if space.filled().is_empty() => Now::Ended,
            Poll::Ready(Ok(())) => Now::Bytes(space.filled().to_vec()),
            Poll::Ready(Err(_)) => Now::Ended,
        })
    });
    tokio::task::coop::unconstrained(looking).await
}

/// Whether a transport has come to its end; what was written before it is read away.
pub(crate) async fn is_over(io: &mut (impl AsyncRead + Unpin)) -> bool {
    loop {
        match read_now(io).await {
            Now::Nothing => return false,
            Now::Ended => return true,
            Now::Bytes(_) => {}
        }
    }
}

/// Lets every other task go as far as it can.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
