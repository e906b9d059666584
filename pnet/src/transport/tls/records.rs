//! Whole records of TLS: those of a handshake, on their way between its task and TLS, and where the one that comes ends.

use std::{io, task::Poll};

use tokio::io::ReadBuf;

/// What has come and was not handed over, and what is to go.
#[derive(Default)]
pub(super) struct Records {
    pub(super) came: Vec<u8>,
    /// Of what was handed over.
    framing: Framing,
    /// Nothing more will come.
    pub(super) ended: bool,
    pub(super) going: Vec<u8>,
}

impl Records {
    /// `came` was read before.
    pub(super) fn new(came: Vec<u8>) -> Self {
        Self { came, ..Self::default() }
    }

    /// Hands over whole records only, until nothing more will come.
    pub(super) fn poll_read(&mut self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.is_ready() {
            return Poll::Pending;
        }
        let whole = if self.ended { self.came.len() } else { whole_records(&self.came) };
        let len = whole.min(buf.remaining());
        let part = self.came.get(..len).unwrap_or_default();
        buf.put_slice(part);
        self.framing.see(part);
        self.came.drain(..len);
        Poll::Ready(Ok(()))
    }

    /// Whether TLS has something to go on with.
    pub(super) fn is_ready(&self) -> bool {
        self.ended || whole_records(&self.came) > 0
    }

    /// What belongs behind the handshake, and none of the room that its longest record has taken: it lives on. And how much
    /// of its first record was handed over already.
    pub(super) fn take_rest(&mut self) -> (Vec<u8>, Framing) {
        let mut rest = std::mem::take(&mut self.came);
        rest.shrink_to_fit();
        (rest, std::mem::take(&mut self.framing))
    }
}

/// Follows the records that come, to know how much of one is held until the rest is there.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Bytes of the current record that have come.
    pub(super) begun: usize,
    /// How long it is in all, once its head has come.
    len: usize,
}

impl Framing {
    pub(super) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = if self.begun < HEAD { HEAD - self.begun } else { self.len - self.begun };
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            // The last two bytes of the head are the length of the rest.
            for (at, &byte) in part.iter().enumerate() {
                match self.begun + at {
                    3 => self.len = usize::from(byte) << 8,
                    4 => self.len += usize::from(byte) + HEAD,
                    HEAD.. => break,
                    _ => {}
                }
            }
            self.begun += part.len();
            if self.begun >= HEAD && self.begun >= self.len {
                *self = Self::default();
            }
            bytes = rest;
        }
    }
}

/// How many of these bytes are whole records. One that is longer than any may be counts as whole, so that TLS says so.
fn whole_records(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(&[_, _, _, high, low]) = bytes.get(whole..whole + HEAD) {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > MAX_RECORD {
            return bytes.len();
        }
        if bytes.len() < whole + HEAD + len {
            break;
        }
        whole += HEAD + len;
    }
    whole
}

/// Type, version, length.
const HEAD: usize = 5;
/// A record of TLS 1.3 is no longer (RFC 8446 §5.2).
const MAX_RECORD: usize = (1 << 14) + 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_records_are_told_from_begun_ones() {
        let record = [22, 3, 1, 0, 2, 7, 7];
        let two = [record, record].concat();
        for len in 0..=two.len() {
            assert_eq!(whole_records(&two[..len]), len / 7 * 7, "of {len} bytes");
        }
        // Longer than any record may be: handed over, so that it is refused at once and not waited for.
        assert_eq!(whole_records(&[22, 3, 1, 0xff, 0xff]), 5);
        assert_eq!(whole_records(&[]), 0);
    }

    #[test]
    fn no_room_of_the_handshake_is_kept_for_the_connection() {
        for rest in [&[][..], &[23, 3, 3, 0, 9, 1]] {
            let mut records = Records::default();
            records.came.extend([22, 3, 3, 0x40, 0]);
            records.came.resize(HEAD + (1 << 14), 0);
            records.came.extend_from_slice(rest);
            let mut bytes = vec![0; 1 << 16];
            assert!(records.poll_read(&mut ReadBuf::new(&mut bytes)).is_ready());
            let (kept, framing) = records.take_rest();
            assert_eq!((&kept[..], framing.begun), (rest, 0));
            assert!(kept.capacity() <= rest.len(), "{} bytes", kept.capacity());
        }
    }
}
