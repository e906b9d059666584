//! Where the first object of the other side is.

use super::{
    JsonFault,
    envelope::{Envelope, Scanned, is_space},
    scan::Scanner,
};
use crate::{handshake::HandshakeError, text::escape};

/// The first object of the other side, in as many pieces as it comes in.
#[derive(Debug)]
pub(super) struct First {
    scanner: Scanner,
    /// Whitespace before the object, and what else is left to others.
    pub(super) skipped: usize,
}

impl First {
    pub(super) const fn new() -> Self {
        Self { scanner: Scanner::new(), skipped: 0 }
    }

    /// All that came but for the whitespace before the object.
    pub(super) fn unread<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let unread = input.get(self.skipped..).unwrap_or_default();
        if self.scanner.has_begun() {
            return unread;
        }
        let space = unread.iter().take_while(|byte| is_space(**byte)).count();
        self.skipped += space;
        unread.get(space..).unwrap_or_default()
    }

    /// Reads the object at the beginning of what is unread, if it is whole; how many bytes it was.
    pub(super) fn read<'a>(&mut self, unread: &'a [u8]) -> Result<Option<Scanned<'a>>, JsonFault> {
        match unread.first() {
            None | Some(b'{') => Envelope::scan(&mut self.scanner, unread),
            Some(byte) => Err(JsonFault::NoObject { byte: *byte }),
        }
    }
}

/// More came than this side takes.
pub(super) fn too_long(max: usize) -> HandshakeError {
    JsonFault::TooLong { max: u32::try_from(max).unwrap_or(u32::MAX) }.into()
}

/// The other side means another protocol.
pub(super) fn other_protocol(here: &str, there: &str) -> HandshakeError {
    HandshakeError::ProtocolName { here: here.to_owned(), there: escape(there, SHOWN_NAME_LEN) }
}

const SHOWN_NAME_LEN: usize = 300;
