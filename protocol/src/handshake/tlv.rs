//! The bodies of handshake frames: tagged fields, so that later versions can add some.
//!
//! ```text
//! +-----+-------------+-----------+
//! | tag | len: u16 LE | len bytes |   any number of these; unknown tags are skipped
//! +-----+-------------+-----------+
//! ```
//!
//! The tags of all handshake frames are one list, `docs/wire.md` §5.1.

use crate::frame::read::Reader;

use super::HandshakeError;

pub(super) const VERSIONS: u8 = 1;
pub(super) const PROTOCOL: u8 = 2;
pub(super) const FINGERPRINT: u8 = 3;
pub(super) const CREDENTIALS: u8 = 4;
pub(super) const LIMITS: u8 = 5;
pub(super) const HEARTBEAT: u8 = 6;
pub(super) const VERSION: u8 = 7;
pub(super) const CONNECTION: u8 = 8;
pub(super) const TOKEN: u8 = 9;
pub(super) const ACTION: u8 = 10;
pub(super) const SHAPE: u8 = 11;
pub(super) const MORE: u8 = 12;
pub(super) const OTHERS: u8 = 13;

/// Bytes before a field's value.
pub(super) const OVERHEAD: usize = 3;

/// Appends a field. A value above 65,535 bytes is cut there; the frame is then longer than the other side takes.
pub(super) fn put(body: &mut Vec<u8>, tag: u8, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.push(tag);
    body.extend_from_slice(&len.to_le_bytes());
    body.extend_from_slice(value.get(..usize::from(len)).unwrap_or(value));
}

/// Reads the fields of one body.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    frame: &'static str,
    reader: Reader<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(frame: &'static str, body: &'a [u8]) -> Self {
        Self { frame, reader: Reader::new(body) }
    }

    /// The next field with its tag; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, HandshakeError> {
        let Some(tag) = self.reader.u8() else {
            return Ok(None);
        };
        let value = self.reader.u16().and_then(|len| self.reader.bytes(usize::from(len)));
        let value = value.ok_or_else(|| self.malformed("a field is cut off"))?;
        Ok(Some((tag, value)))
    }

    /// What the field with this tag says, if it is there; it may be so once. `read` gives `None` for what cannot be read.
    pub(super) fn once<T>(&self, tag: u8, read: impl Fn(&'a [u8]) -> Option<T>) -> Result<Option<T>, HandshakeError> {
        let (mut fields, mut found) = (self.clone(), None);
        while let Some((known, value)) = fields.next()? {
            if known != tag {
                continue;
            }
            if found.is_some() {
                return Err(self.malformed("a field occurs twice"));
            }
            found = Some(read(value).ok_or_else(|| self.malformed("a field has a wrong length or value"))?);
        }
        Ok(found)
    }

    /// The same for a field that has to be there.
    pub(super) fn required<T>(&self, tag: u8, read: impl Fn(&'a [u8]) -> Option<T>) -> Result<T, HandshakeError> {
        self.once(tag, read)?.ok_or_else(|| self.malformed("a required field is missing"))
    }

    pub(super) fn malformed(&self, what: &'static str) -> HandshakeError {
        HandshakeError::Malformed { frame: self.frame, what }
    }
}

/// The whole value as an array.
pub(super) fn array<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// The whole value as text of 1 to `max` bytes.
pub(super) fn text(value: &[u8], max: usize) -> Option<&str> {
    if value.is_empty() || value.len() > max {
        return None;
    }
    str::from_utf8(value).ok()
}

/// The whole value as a number.
pub(super) fn u32(value: &[u8]) -> Option<u32> {
    array(value).map(u32::from_le_bytes)
}
