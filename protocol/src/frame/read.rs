//! Bytes to frames. Network bytes come in here, so nothing indexes, unwraps or reserves by what the peer says.

use std::fmt;

use crate::close::{Close, CloseCode, Retry};
use crate::limits::{CODE_LEN, TEXT_LEN};
use crate::secret::Hidden;

use super::{Frame, FrameError, Kind, StreamEnd};

/// Reads the frame at the start of `input`, and tells how many bytes it took.
///
/// `Ok(None)` means that the frame is not whole yet: call again with the same bytes and more. The frame borrows from
/// `input`; nothing is copied or allocated.
///
/// # Errors
///
/// [`FrameError::TooLong`] and [`FrameError::Empty`] as soon as the four bytes of the length are there,
/// [`FrameError::UnknownKind`] as soon as the fifth is, so that nobody waits for the rest of a frame that cannot be
/// taken. [`FrameError::Malformed`] if the fields do not fit the kind. The bytes that follow any of them have no
/// meaning any more: the connection has to end.
#[inline]
pub fn decode(input: &[u8], max_len: u32) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some((length, rest)) = input.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length);
    if length > max_len {
        return Err(FrameError::TooLong { len: length, max: max_len });
    }
    if length == 0 {
        return Err(FrameError::Empty);
    }
    let Some((&kind, _)) = rest.split_first() else {
        return Ok(None);
    };
    let kind = Kind::from_u8(kind).ok_or(FrameError::UnknownKind(kind))?;
    // A length beyond the address space is a frame that is never whole.
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(body) = rest.get(1..length) else {
        return Ok(None);
    };
    let frame = fields(kind, body)?;
    Ok(Some((frame, 4 + length)))
}

/// How many bytes are missing at least before [`decode`] can give the next frame; 0 if it is whole.
///
/// It rests on the length the peer announced, up to 4 GiB: call [`decode`] first, which compares that with the limit,
/// and let a buffer grow with the bytes that come.
pub fn needed(input: &[u8]) -> usize {
    let whole = match input.first_chunk::<4>() {
        Some(length) => usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX).saturating_add(4),
        None => 5,
    };
    whole.saturating_sub(input.len())
}

/// The fields of the kinds that come again and again; they end with a payload.
#[inline]
fn fields(kind: Kind, body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let mut reader = Reader::new(body);
    let frame = match kind {
        Kind::Packet => reader.u16().map(|action| Frame::Packet { action, payload: reader.rest() }),
        Kind::Call => reader.array().map(|[a, b, c, d, e, f, g, h, i, j]| Frame::Call {
            id: u32::from_le_bytes([a, b, c, d]),
            action: u16::from_le_bytes([e, f]),
            timeout_ms: u32::from_le_bytes([g, h, i, j]),
            payload: reader.rest(),
        }),
        Kind::Reply => reader.u32().map(|id| Frame::Reply { id, payload: reader.rest() }),
        Kind::Item => reader.u32().map(|id| Frame::Item { id, payload: reader.rest() }),
        Kind::Time if body.len() == 8 => reader.i64().map(|micros| Frame::Time { micros }),
        _ => return rare_fields(kind, body),
    };
    frame.ok_or_else(|| short(kind))
}

const fn short(kind: Kind) -> FrameError {
    FrameError::Malformed { frame: kind.name(), what: "a field is missing" }
}

/// The fields of all other kinds.
fn rare_fields(kind: Kind, body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let mut reader = Reader::new(body);
    let frame = rare_frame(kind, &mut reader).unwrap_or_else(|| Err(short(kind)))?;
    if !reader.is_empty() {
        return Err(FrameError::Malformed { frame: kind.name(), what: "there are bytes after the last field" });
    }
    Ok(frame)
}

/// `None` if a field is missing.
fn rare_frame<'a>(kind: Kind, reader: &mut Reader<'a>) -> Option<Result<Frame<'a>, FrameError>> {
    Some(Ok(match kind {
        Kind::Hello => Frame::Hello(reader.rest()),
        Kind::Welcome => Frame::Welcome(reader.rest()),
        Kind::Differ => Frame::Differ(reader.rest()),
        Kind::Offer => Frame::Offer(reader.rest()),
        Kind::Shapes => Frame::Shapes(reader.rest()),
        Kind::Time => Frame::Time { micros: reader.i64()? },
        Kind::Error => Frame::Error { id: reader.u32()?, payload: reader.rest() },
        Kind::Failure => {
            let id = reader.u32()?;
            return Some(failure(kind, reader).map(|(code, message)| Frame::Failure { id, code, message }));
        }
        Kind::End => {
            let (id, how) = (reader.u32()?, reader.u8()?);
            let end = match how {
                END_DONE => StreamEnd::Done,
                END_ERROR => StreamEnd::Error(reader.rest()),
                END_FAILURE => {
                    let end = failure(kind, reader).map(|(code, message)| StreamEnd::Failure { code, message });
                    return Some(end.map(|end| Frame::End { id, end }));
                }
                _ => {
                    let what = "the way it ends is unknown";
                    return Some(Err(FrameError::Malformed { frame: kind.name(), what }));
                }
            };
            Frame::End { id, end }
        }
        Kind::Cancel => Frame::Cancel { id: reader.u32()? },
        Kind::Credit => Frame::Credit { id: reader.u32()?, packets: reader.u32()?, bytes: reader.u32()? },
        Kind::Ping => Frame::Ping { nonce: reader.u64()? },
        Kind::Pong => Frame::Pong { nonce: reader.u64()? },
        Kind::Close => {
            let (code, retry, after) = (CloseCode::from_u16(reader.u16()?), reader.u8()?, reader.u32()?);
            let retry = match retry {
                RETRY_AFTER => Retry::After(after),
                RETRY_NEVER => Retry::Never,
                // Advice of a later version is no reason to misread the close.
                _ => Retry::Unspecified,
            };
            return Some(text(kind, reader.rest()).map(|reason| Frame::Close(Close { code, retry, reason })));
        }
        Kind::Packet | Kind::Call | Kind::Reply | Kind::Item => return Some(fields(kind, reader.rest())),
    }))
}

fn failure<'a>(kind: Kind, reader: &mut Reader<'a>) -> Result<(&'a str, &'a str), FrameError> {
    let malformed = |what| FrameError::Malformed { frame: kind.name(), what };
    let code = reader.u8().and_then(|len| reader.bytes(usize::from(len)));
    let code = code.ok_or_else(|| malformed("a field is missing"))?;
    if code.is_empty() || code.len() > CODE_LEN {
        return Err(malformed("the code is not 1 to 64 bytes long"));
    }
    let code = str::from_utf8(code).map_err(|_| malformed("the code is not UTF-8"))?;
    Ok((code, text(kind, reader.rest())?))
}

fn text(kind: Kind, bytes: &[u8]) -> Result<&str, FrameError> {
    let malformed = |what| FrameError::Malformed { frame: kind.name(), what };
    if bytes.len() > TEXT_LEN {
        return Err(malformed("the text is longer than 1024 bytes"));
    }
    str::from_utf8(bytes).map_err(|_| malformed("the text is not UTF-8"))
}

/// Takes fields off the front of some bytes; `None` when they run out.
#[derive(Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    #[inline]
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&Hidden::of(self.0)).finish()
    }
}

pub(super) const END_DONE: u8 = 0;
pub(super) const END_ERROR: u8 = 1;
pub(super) const END_FAILURE: u8 = 2;

pub(super) const RETRY_UNSPECIFIED: u8 = 0;
pub(super) const RETRY_AFTER: u8 = 1;
pub(super) const RETRY_NEVER: u8 = 2;
