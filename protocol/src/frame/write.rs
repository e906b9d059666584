//! Frames to bytes: one writer per kind for the hot path, and [`Mark`] for payloads that are encoded in place.

use crate::close::{Close, Retry};
use crate::limits::{CODE_LEN, TEXT_LEN};
use crate::text::cut;

use super::read::{END_DONE, END_ERROR, END_FAILURE, RETRY_AFTER, RETRY_NEVER, RETRY_UNSPECIFIED};
use super::{FrameTooLong, Kind, StreamEnd};

/// Writes a TIME frame: microseconds since the Unix epoch, for all that follows in the same batch.
pub fn put_time(out: &mut Vec<u8>, micros: i64) {
    header(out, Kind::Time, 8);
    out.extend_from_slice(&micros.to_le_bytes());
}

/// Writes a PACKET frame.
///
/// # Panics
///
/// Like all writers with a payload, if the frame would be longer than its length field can say (4 GiB). Compare with
/// the other side's limit first, as `Outbound` does.
#[inline]
pub fn put_packet(out: &mut Vec<u8>, action: u16, payload: &[u8]) {
    let ([a, b, c, d], [e, f]) = (length(2 + payload.len()), action.to_le_bytes());
    out.reserve(7 + payload.len());
    out.extend_from_slice(&[a, b, c, d, Kind::Packet as u8, e, f]);
    out.extend_from_slice(payload);
}

/// Writes a CALL frame; `timeout_ms` of 0 means that the caller waits without limit.
#[inline]
pub fn put_call(out: &mut Vec<u8>, id: u32, action: u16, timeout_ms: u32, payload: &[u8]) {
    let ([a, b, c, d], [e, f, g, h]) = (length(10 + payload.len()), id.to_le_bytes());
    let ([i, j], [k, l, m, n]) = (action.to_le_bytes(), timeout_ms.to_le_bytes());
    out.reserve(15 + payload.len());
    out.extend_from_slice(&[a, b, c, d, Kind::Call as u8, e, f, g, h, i, j, k, l, m, n]);
    out.extend_from_slice(payload);
}

/// Writes a REPLY frame: the packet that answers a call, or nothing for `-> ()`.
#[inline]
pub fn put_reply(out: &mut Vec<u8>, id: u32, payload: &[u8]) {
    put_with_id(out, Kind::Reply, id, payload);
}

/// Writes an ERROR frame: the declared error packet that answers a call.
pub fn put_error(out: &mut Vec<u8>, id: u32, payload: &[u8]) {
    put_with_id(out, Kind::Error, id, payload);
}

/// Writes a FAILURE frame. The code is cut to 64 bytes, the message to 1 KiB, both between two characters; an empty
/// code becomes `internal`.
pub fn put_failure(out: &mut Vec<u8>, id: u32, code: &str, message: &str) {
    let (code, message) = failure_text(code, message);
    header(out, Kind::Failure, 5 + code.len() + message.len());
    out.extend_from_slice(&id.to_le_bytes());
    put_failure_text(out, code, message);
}

/// Writes an ITEM frame: one packet of a stream.
pub fn put_item(out: &mut Vec<u8>, id: u32, payload: &[u8]) {
    put_with_id(out, Kind::Item, id, payload);
}

/// Writes an END frame: how a stream ended.
pub fn put_end(out: &mut Vec<u8>, id: u32, end: StreamEnd<'_>) {
    match end {
        StreamEnd::Done => {
            header(out, Kind::End, 5);
            out.extend_from_slice(&id.to_le_bytes());
            out.push(END_DONE);
        }
        StreamEnd::Error(payload) => {
            header(out, Kind::End, 5 + payload.len());
            out.extend_from_slice(&id.to_le_bytes());
            out.push(END_ERROR);
            out.extend_from_slice(payload);
        }
        StreamEnd::Failure { code, message } => {
            let (code, message) = failure_text(code, message);
            header(out, Kind::End, 6 + code.len() + message.len());
            out.extend_from_slice(&id.to_le_bytes());
            out.push(END_FAILURE);
            put_failure_text(out, code, message);
        }
    }
}

/// Writes a CANCEL frame: the caller does not want the answer any more.
pub fn put_cancel(out: &mut Vec<u8>, id: u32) {
    put_with_id(out, Kind::Cancel, id, &[]);
}

/// Writes a CREDIT frame; `id` 0 is for the one-way packets of the connection, any other for that stream.
pub fn put_credit(out: &mut Vec<u8>, id: u32, packets: u32, bytes: u32) {
    header(out, Kind::Credit, 12);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&packets.to_le_bytes());
    out.extend_from_slice(&bytes.to_le_bytes());
}

/// Writes a PING frame.
pub fn put_ping(out: &mut Vec<u8>, nonce: u64) {
    header(out, Kind::Ping, 8);
    out.extend_from_slice(&nonce.to_le_bytes());
}

/// Writes a PONG frame with the nonce of the ping it answers.
pub fn put_pong(out: &mut Vec<u8>, nonce: u64) {
    header(out, Kind::Pong, 8);
    out.extend_from_slice(&nonce.to_le_bytes());
}

/// Writes a CLOSE frame, the last one of this side. The reason is cut to 1 KiB between two characters.
pub fn put_close(out: &mut Vec<u8>, close: Close<'_>) {
    let reason = cut(close.reason, TEXT_LEN);
    let (retry, after) = match close.retry {
        Retry::Unspecified => (RETRY_UNSPECIFIED, 0),
        Retry::After(ms) => (RETRY_AFTER, ms),
        Retry::Never => (RETRY_NEVER, 0),
    };
    header(out, Kind::Close, 7 + reason.len());
    out.extend_from_slice(&close.code.to_u16().to_le_bytes());
    out.push(retry);
    out.extend_from_slice(&after.to_le_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Writes a handshake frame around a finished body.
pub(crate) fn put_body(out: &mut Vec<u8>, kind: Kind, body: &[u8]) {
    header(out, kind, body.len());
    out.extend_from_slice(body);
}

/// Starts a PACKET frame whose payload is appended to `out` next.
pub fn begin_packet(out: &mut Vec<u8>, action: u16) -> Mark {
    let mark = begin(out, Kind::Packet);
    out.extend_from_slice(&action.to_le_bytes());
    mark
}

/// Starts a CALL frame whose payload is appended to `out` next.
pub fn begin_call(out: &mut Vec<u8>, id: u32, action: u16, timeout_ms: u32) -> Mark {
    let mark = begin(out, Kind::Call);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&action.to_le_bytes());
    out.extend_from_slice(&timeout_ms.to_le_bytes());
    mark
}

/// Starts the answer to call `id`, whose payload is appended to `out` next. It is a REPLY unless it is finished with
/// [`Mark::finish_error`].
#[inline]
pub fn begin_reply(out: &mut Vec<u8>, id: u32) -> Mark {
    let (start, [a, b, c, d]) = (out.len(), id.to_le_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, Kind::Reply as u8, a, b, c, d]);
    Mark { start }
}

/// A frame begun in an out-buffer: its length is filled in when the payload stands behind it.
///
/// Finish or abandon it before anything else is appended. Dropped without either, it leaves a frame without length.
///
/// ```
/// use pnet_protocol::frame::{begin_reply, put_reply};
///
/// let (mut out, mut same) = (Vec::new(), Vec::new());
/// let mark = begin_reply(&mut out, 7);
/// out.extend_from_slice(b"payload");
/// mark.finish(&mut out, 1024).unwrap();
/// put_reply(&mut same, 7, b"payload");
/// assert_eq!(out, same);
/// ```
#[derive(Debug)]
#[must_use = "the frame has no length until it is finished"]
pub struct Mark {
    start: usize,
}

impl Mark {
    /// The frame that was begun where `out` had this length.
    pub(crate) const fn at(start: usize) -> Self {
        Self { start }
    }

    /// Fills in the length, and gives it.
    ///
    /// # Errors
    ///
    /// [`FrameTooLong`] if the frame exceeds `max_len`; `out` is then as it was before the frame was begun.
    pub fn finish(self, out: &mut Vec<u8>, max_len: u32) -> Result<u32, FrameTooLong> {
        let len = self.len(out);
        let length = match u32::try_from(len) {
            Ok(length) if length <= max_len => length,
            _ => {
                self.abandon(out);
                return Err(FrameTooLong { len, max: max_len });
            }
        };
        if let Some(field) = out.get_mut(self.start..).and_then(|frame| frame.first_chunk_mut::<4>()) {
            *field = length.to_le_bytes();
        }
        Ok(length)
    }

    /// Fills in the length of a frame that is compared with a limit elsewhere.
    ///
    /// # Panics
    ///
    /// If the frame is longer than its length field can say, as all writers.
    #[inline]
    pub fn close(&self, out: &mut [u8]) {
        let [a, b, c, d] = length(self.len(out) - 1);
        if let Some(field) = out.get_mut(self.start..).and_then(|frame| frame.first_chunk_mut::<4>()) {
            *field = [a, b, c, d];
        }
    }

    /// Like [`close`](Self::close), for an answer that turned out to be the declared error.
    ///
    /// # Panics
    ///
    /// As [`close`](Self::close).
    pub fn close_error(&self, out: &mut [u8]) {
        if let Some(kind) = out.get_mut(self.start + 4) {
            *kind = Kind::Error as u8;
        }
        self.close(out);
    }

    /// The payload of an answer, so far.
    pub fn payload<'a>(&self, out: &'a [u8]) -> &'a [u8] {
        out.get(self.start + 9..).unwrap_or_default()
    }

    /// Like [`finish`](Self::finish), for an answer that turned out to be the declared error.
    ///
    /// # Errors
    ///
    /// [`FrameTooLong`] as for [`finish`](Self::finish).
    pub fn finish_error(self, out: &mut Vec<u8>, max_len: u32) -> Result<u32, FrameTooLong> {
        if let Some(kind) = out.get_mut(self.start + 4) {
            *kind = Kind::Error as u8;
        }
        self.finish(out, max_len)
    }

    /// Takes the frame out of `out` again.
    pub fn abandon(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }

    /// What the length field would say now.
    pub fn len(&self, out: &[u8]) -> usize {
        out.len().saturating_sub(self.start + 4)
    }
}

fn begin(out: &mut Vec<u8>, kind: Kind) -> Mark {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind as u8]);
    Mark { start }
}

#[inline]
fn put_with_id(out: &mut Vec<u8>, kind: Kind, id: u32, payload: &[u8]) {
    let ([a, b, c, d], [e, f, g, h]) = (length(4 + payload.len()), id.to_le_bytes());
    out.reserve(9 + payload.len());
    out.extend_from_slice(&[a, b, c, d, kind as u8, e, f, g, h]);
    out.extend_from_slice(payload);
}

fn failure_text<'a>(code: &'a str, message: &'a str) -> (&'a str, &'a str) {
    let code = if code.is_empty() { "internal" } else { cut(code, CODE_LEN) };
    (code, cut(message, TEXT_LEN))
}

#[expect(clippy::cast_possible_truncation, reason = "a code has at most 64 bytes after `failure_text`")]
fn put_failure_text(out: &mut Vec<u8>, code: &str, message: &str) {
    out.push(code.len() as u8);
    out.extend_from_slice(code.as_bytes());
    out.extend_from_slice(message.as_bytes());
}

/// Writes length and kind for a frame with `fields` bytes after its kind.
fn header(out: &mut Vec<u8>, kind: Kind, fields: usize) {
    let [a, b, c, d] = length(fields);
    out.reserve(5 + fields);
    out.extend_from_slice(&[a, b, c, d, kind as u8]);
}

/// The length field of a frame with `fields` bytes after its kind.
#[inline]
#[expect(clippy::expect_used, reason = "only this side's own payloads come here, and the docs say that it panics")]
fn length(fields: usize) -> [u8; 4] {
    u32::try_from(fields + 1).expect("the frame's length fits its length field").to_le_bytes()
}
