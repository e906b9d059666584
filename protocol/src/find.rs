//! What ends a text or a flat value of JSON, looked for eight bytes at a time.

/// The first quote or backslash, eight bytes at a time.
#[inline]
pub(crate) fn find_mark(text: &[u8]) -> Option<usize> {
    find(text, quotes, |byte| matches!(byte, b'"' | b'\\'))
}

/// The first byte that ends a text in which nothing is escaped: its quote, or what may not stand there.
#[inline]
pub(crate) fn find_special(text: &[u8]) -> Option<usize> {
    let controls = |word| zero_bytes(word & (ONES * 0xE0));
    find(text, |word| quotes(word) | controls(word), |byte| matches!(byte, b'"' | b'\\' | 0..0x20))
}

#[inline]
fn find(text: &[u8], in_word: impl Fn(u64) -> u64, is: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, last) = text.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let found = in_word(u64::from_le_bytes(*word));
        if found != 0 {
            // Bits above the first one may be wrong, the first one is not.
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    Some(at + last.iter().position(|byte| is(*byte))?)
}

const fn quotes(word: u64) -> u64 {
    zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64))
}

/// The top bit of each byte that is zero, up to the first one for certain.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & TOPS
}

/// The top bit of each byte that is `byte`, and of no other.
const fn equal_bytes(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * byte as u64);
    !(((differs & !TOPS) + !TOPS) | differs) & TOPS
}

/// The top bit of each byte that is a bracket, a backslash or `|`, and of no other: with the bit in which `[` and `{` differ
/// they are the three from `{` on.
const fn bracket_bytes(word: u64) -> u64 {
    let low = (word | (ONES * 0x20)) & !TOPS;
    let from_first = low + ONES * (0x80 - b'{' as u64);
    let behind_last = low + ONES * (0x7F - b'}' as u64);
    from_first & !behind_last & !word & TOPS
}

/// Whether an odd number of top bits is set.
const fn is_odd(tops: u64) -> bool {
    (tops >> 7).wrapping_mul(ONES) >> 56 & 1 == 1
}

/// Where the object or list ends that `value` begins with, if no other is in it and nothing is escaped; and whether all up
/// to there is ASCII. Not told apart from others: one that ends within the last bytes there are.
///
/// Eight bytes at a time: the first bracket or backslash decides, and stands in no text if the quotes before it are even.
#[inline]
pub(crate) fn flat_end(value: &[u8]) -> Option<(usize, bool)> {
    let close = match value.first()? {
        b'{' => b'}',
        b'[' => b']',
        _ => return None,
    };
    let (words, _) = value.get(1..)?.as_chunks::<8>();
    let (mut at, mut quotes, mut all) = (1, 0, 0);
    for word in words {
        let word = u64::from_le_bytes(*word);
        let (in_word, found) = (equal_bytes(word, b'"'), bracket_bytes(word));
        all |= word;
        if found != 0 {
            let bit = found.trailing_zeros();
            quotes ^= in_word & ((1 << bit) - 1);
            at += (bit / 8) as usize;
            let fits = !is_odd(quotes) && value.get(at) == Some(&close);
            return fits.then_some((at + 1, all & TOPS == 0));
        }
        quotes ^= in_word;
        at += 8;
    }
    None
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
/// The top bit of each byte.
const TOPS: u64 = ONES << 7;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found eight bytes at a time is what is found one by one, wherever it stands.
    #[test]
    fn flat_values_end_where_they_end() {
        fn one_by_one(value: &[u8]) -> Option<usize> {
            let found = value.iter().skip(1).position(|byte| b"{}[]|\\".contains(byte))? + 1;
            let quotes = value[..found].iter().filter(|byte| **byte == b'"').count();
            let close = if value[0] == b'{' { b'}' } else { b']' };
            (quotes % 2 == 0 && value[found] == close).then_some(found + 1)
        }

        let mut found = 0;
        for inside in [&br##""a":1,"b":"#""##[..], br#"1,2,"x,y",-3.5e7,null"#, b"\"\xc3\xbc#\x01!\"", b""] {
            for (open, close) in [(b'{', b'}'), (b'[', b']')] {
                let whole = [&[open], inside, &[close], b",........"].concat();
                for at in 1..whole.len() {
                    for byte in 0..=u8::MAX {
                        let mut value = whole.clone();
                        value[at] = byte;
                        let expected = one_by_one(&value).filter(|end| *end < value.len() - 8);
                        let end = flat_end(&value).filter(|(end, _)| *end < value.len() - 8);
                        assert_eq!(end.map(|(end, _)| end), expected, "{}", value.escape_ascii());
                        if let Some((end, true)) = end {
                            assert!(value[..end].is_ascii(), "{}", value.escape_ascii());
                            found += 1;
                        }
                    }
                }
            }
        }
        assert!(found > 1000, "{found}");
        for other in [&b""[..], b"1", b"{", b"{}", b"\"{}........\""] {
            assert_eq!(flat_end(other), None);
        }
    }

    #[test]
    fn quotes_are_found_wherever_they_are() {
        for len in 0..40 {
            for at in 0..=len {
                for mark in [b'"', b'\\'] {
                    let mut text = vec![0xFF; len];
                    text.insert(at, mark);
                    text.push(b'"');
                    assert_eq!(find_mark(&text), Some(at));
                }
            }
            assert_eq!(find_mark(&vec![b'#'; len]), None);
        }
    }
}
