//! Numbers as packets have them around their data, read without a detour over a float.

/// Digits and as many behind a point, up to where something else begins: seconds, in microseconds. Digits below a microsecond
/// are dropped. How many bytes it was.
#[inline]
pub(super) fn time(bytes: &[u8]) -> Option<(i64, usize)> {
    let (seconds, mut len) = digits(bytes)?;
    if len > 12 {
        return None;
    }
    let mut micros = 0;
    if bytes.get(len) == Some(&b'.') {
        let mut digits = 0;
        for byte in bytes.get(len + 1..)? {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if digits < 6 {
                micros = micros * 10 + i64::from(digit);
            }
            digits += 1;
        }
        micros *= SCALE.get(digits).copied().unwrap_or(1);
        len += 1 + digits;
        if digits == 0 {
            return None;
        }
    }
    Some((i64::try_from(seconds).ok()? * 1_000_000 + micros, len))
}

/// An integer that every JSON reader keeps exactly, and how many bytes it was.
#[inline]
pub(super) fn integer(bytes: &[u8]) -> Option<(u64, usize)> {
    digits(bytes).filter(|(number, _)| *number <= MAX_NUMBER)
}

/// What `read` finds, if that is all of the text.
pub(super) fn whole<T>(text: &str, read: impl FnOnce(&[u8]) -> Option<(T, usize)>) -> Option<T> {
    read(text.as_bytes()).filter(|(_, len)| *len == text.len()).map(|(value, _)| value)
}

/// An integer without zeros in front, of at most 18 digits, and how many they are.
#[inline]
fn digits(bytes: &[u8]) -> Option<(u64, usize)> {
    let (mut number, mut digits) = match bytes.first_chunk().copied().and_then(eight_digits) {
        Some(number) => (number, 8),
        None => (0, 0),
    };
    for byte in bytes.get(digits..)?.iter().take(19 - digits) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number * 10 + u64::from(digit);
        digits += 1;
    }
    let plain = (1..19).contains(&digits) && (digits == 1 || bytes.first() != Some(&b'0'));
    plain.then_some((number, digits))
}

/// Eight digits as a number, in three steps instead of eight.
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(digits);
    // A byte is a digit if its upper half is 3, and still is when 6 is added.
    let upper = 0xF0F0_F0F0_F0F0_F0F0;
    let threes = 0x3030_3030_3030_3030;
    if word & upper != threes || word.wrapping_add(0x0606_0606_0606_0606) & upper != threes {
        return None;
    }
    let ones = word & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

/// What so many digits behind the point are to be multiplied with.
const SCALE: [i64; 6] = [1_000_000, 100_000, 10_000, 1000, 100, 10];

/// The largest integer that every JSON reader keeps exactly.
pub(crate) const MAX_NUMBER: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_a_number() {
        for number in [0, 1, 12_345_678, 99_999_999, 90_000_009] {
            let text = format!("{number:08}");
            assert_eq!(eight_digits(text.as_bytes().try_into().unwrap()), Some(number));
        }
        for text in [b"1234567:", b"/2345678", b"1234.678", b"1234567\"", b"\xb12345678"[..8].try_into().unwrap()] {
            assert_eq!(eight_digits(*text), None, "{}", text.escape_ascii());
        }
    }
}
