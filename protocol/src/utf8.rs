//! Bytes to text.

use std::str::Utf8Error;

use ascii::AsciiStr;

/// The text that `bytes` are.
///
/// Most are short and ASCII, which is told by eight bytes at once. So does [`str::from_utf8`], but only from the first address
/// that is a multiple of eight, and to the last: of a short text that leaves little. In a long one it is the other way round.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    match short_ascii(bytes) {
        Some(text) => Ok(text),
        None => str::from_utf8(bytes),
    }
}

/// Compiled once, here: elsewhere the crate's own function would be called, which hands the text back by way of memory.
#[inline(never)]
fn short_ascii(bytes: &[u8]) -> Option<&str> {
    if bytes.len() >= LONG { None } else { AsciiStr::from_ascii(bytes).ok().map(AsciiStr::as_str) }
}

/// From here on the standard library looks for ASCII by 64 bytes, and at the rest one by one.
const LONG: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_standard_library_says(mut bytes: Vec<u8>, ascii: bool, start in 0_usize..60) {
            if ascii {
                bytes.iter_mut().for_each(|byte| *byte &= 0x7F);
            }
            let bytes = bytes.get(start..).unwrap_or_default();
            prop_assert_eq!(text(bytes), str::from_utf8(bytes));
        }

        #[test]
        fn any_text_is_itself(any: String) {
            prop_assert_eq!(text(any.as_bytes()), Ok(&*any));
        }
    }
}
