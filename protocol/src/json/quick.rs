//! The usual case, in one pass: an object that is there as a whole, with the fields that packets have and nothing odd.
//!
//! Where anything is unusual (an escape around the data, a field that is not known, a fault, the end of the input) this
//! gives up, and the scan and [`Envelope::from_marks`](super::Envelope) find out what it is. What is read here is read
//! there in the same way, but in two passes.

use std::borrow::Cow;

use super::{
    envelope::{CallId, Envelope, MAX_NUMBER, Token},
    scan::{find_special, next_mark, text_end},
};

/// An object of the usual kind.
pub(super) struct Quick<'a> {
    pub(super) envelope: Envelope<'a>,
    pub(super) len: usize,
    /// Where its time and its token stand, if they follow its data, one behind the other.
    pub(super) tail: Option<(usize, usize)>,
    /// Whether they are those of the object before.
    pub(super) repeats: bool,
}

/// The object at the beginning of `input`; `None` if it is not the usual one. `before` is what stood behind the data of the
/// object before, and the time in it: what is written together says it again and again.
#[inline]
pub(super) fn read<'a>(input: &'a [u8], before: Option<(&[u8], i64)>) -> Option<Quick<'a>> {
    if input.first() != Some(&b'{') {
        return None;
    }
    let mut cursor = Cursor { input, pos: 1 };
    let (mut action, mut data, mut created, mut token) = (None, None, None, None);
    let (mut id, mut re, mut timeout) = (None, None, None);
    // Behind the data, behind the time, and whether both follow it.
    let (mut data_end, mut tail, mut repeats) = (0, None, false);
    loop {
        // The letter behind the quote says which one it may be.
        let once = match cursor.input.get(cursor.pos + 1)? {
            b'a' if cursor.takes(b"\"action\":") => action.replace(cursor.plain_text()?).is_none(),
            b'd' if cursor.takes(b"\"data\":") => {
                let once = data.replace(cursor.value()?).is_none();
                data_end = cursor.pos;
                if let Some((text, micros)) = before
                    && created.is_none()
                    && token.is_none()
                    && cursor.input.get(cursor.pos..).is_some_and(|rest| rest.starts_with(text))
                {
                    cursor.pos += text.len();
                    (created, token, repeats) = (Some(micros), Some(None), true);
                }
                once
            }
            b'p' if cursor.takes(b"\"packet-created\":") => {
                let follows = data_end > 0 && starts_at(&cursor, data_end, b",\"packet-created\":");
                let once = created.replace(cursor.time()?).is_none();
                tail = follows.then_some((data_end, cursor.pos));
                once
            }
            b't' if cursor.takes(b"\"token\":") => {
                let time_end = tail.map_or(0, |(_, end)| end);
                let follows = time_end > 0 && starts_at(&cursor, time_end, b",\"token\":");
                let once = token.replace(cursor.token()?).is_none();
                tail = follows.then_some((data_end, cursor.pos));
                once
            }
            b'i' if cursor.takes(b"\"id\":") => id.replace(cursor.id()?).is_none(),
            b'r' if cursor.takes(b"\"re\":") => re.replace(cursor.id()?).is_none(),
            // Apart, so that what is in every packet is read as fast as without it.
            _ => rare(&mut cursor, &mut timeout)?,
        };
        if !once {
            return None;
        }
        match cursor.next()? {
            b',' => cursor.space(),
            b'}' => break,
            _ => return None,
        }
    }
    if id.is_some() && re.is_some() {
        return None;
    }
    let text = str::from_utf8(input.get(..cursor.pos)?).ok()?;
    let within = |(start, end)| text.get(start..end);
    let envelope = Envelope {
        action: Cow::Borrowed(within(action?)?),
        data: data.and_then(within),
        created,
        token: match token {
            Some(Some(token)) => Token::Text(Cow::Borrowed(within(token)?)),
            Some(None) | None => Token::None,
        },
        id: id.map(CallId::Number),
        re: re.map(CallId::Number),
        timeout,
    };
    let tail = tail.filter(|_| token.is_some());
    Some(Quick { envelope, len: cursor.pos, tail, repeats })
}

/// Whether the field that was just begun stands right behind `end`.
fn starts_at<const N: usize>(cursor: &Cursor<'_>, end: usize, key: &[u8; N]) -> bool {
    cursor.pos == end + N && cursor.input.get(end..cursor.pos) == Some(key)
}

/// A field that few packets have. Whether it stands there for the first time.
#[inline(never)]
#[cold]
fn rare(cursor: &mut Cursor<'_>, timeout: &mut Option<u32>) -> Option<bool> {
    if !cursor.takes(b"\"timeout\":") {
        return None;
    }
    let millis = u32::try_from(cursor.id()?).unwrap_or(u32::MAX);
    Some(timeout.replace(millis).is_none())
}

/// The time as it is usually written, `1700000000.123456`, in microseconds: without the detour over a float. Digits below
/// a microsecond are dropped.
pub(super) fn time_of(value: &str) -> Option<i64> {
    whole(value, Cursor::time)
}

/// A call's id, if it is a number.
pub(super) fn id_of(value: &str) -> Option<u64> {
    whole(value, Cursor::id)
}

fn whole<'a, T>(value: &'a str, read: impl FnOnce(&mut Cursor<'a>) -> Option<T>) -> Option<T> {
    let mut cursor = Cursor { input: value.as_bytes(), pos: 0 };
    read(&mut cursor).filter(|_| cursor.pos == value.len())
}

type Span = (usize, usize);

struct Cursor<'a> {
    input: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.input.get(self.pos).copied();
        self.pos += 1;
        byte
    }

    /// The one space that some writers put between things.
    fn space(&mut self) {
        if self.input.get(self.pos) == Some(&b' ') {
            self.pos += 1;
        }
    }

    /// Takes a field's name and the colon behind it, if that is what comes.
    #[inline]
    fn takes<const N: usize>(&mut self, key: &[u8; N]) -> bool {
        let comes = self.input.get(self.pos..).and_then(<[u8]>::first_chunk::<N>) == Some(key);
        if comes {
            self.pos += N;
            self.space();
        }
        comes
    }

    /// A text in which nothing is escaped.
    fn plain_text(&mut self) -> Option<Span> {
        if self.next()? != b'"' {
            return None;
        }
        let start = self.pos;
        let end = start + find_special(self.input.get(start..)?)?;
        self.pos = end + 1;
        (self.input.get(end) == Some(&b'"')).then_some((start, end))
    }

    /// Any value; what stands in it is its reader's to judge.
    fn value(&mut self) -> Option<Span> {
        let start = self.pos;
        // For each bracket that is open, whether it is that of an object; the innermost lowest.
        let (mut objects, mut depth) = (0_u64, 0_u32);
        let mut pos = start;
        loop {
            let (at, byte) = next_mark(self.input, pos)?;
            pos = at + 1;
            if byte == b'"' {
                pos = text_end(self.input, pos).ok()?;
            } else if byte == b':' || byte == b',' {
                if depth == 0 {
                    self.pos = at;
                    break;
                }
            } else if byte == b'{' || byte == b'[' {
                if depth == u64::BITS {
                    return None;
                }
                objects = objects << 1 | u64::from(byte == b'{');
                depth += 1;
            } else {
                if depth == 0 {
                    self.pos = at;
                    break;
                }
                if (objects & 1 == 1) != (byte == b'}') {
                    return None;
                }
                objects >>= 1;
                depth -= 1;
            }
        }
        let value = self.input.get(start..self.pos)?;
        let trimmed = !value.first()?.is_ascii_whitespace() && !value.last()?.is_ascii_whitespace();
        trimmed.then_some((start, self.pos))
    }

    /// Digits and as many behind a point, up to where something else begins.
    fn time(&mut self) -> Option<i64> {
        let (seconds, digits) = self.digits()?;
        if digits > 12 {
            return None;
        }
        let mut micros = 0;
        if self.input.get(self.pos) == Some(&b'.') {
            self.pos += 1;
            let fraction = self.input.get(self.pos..)?;
            let mut digits = 0;
            for byte in fraction {
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
            self.pos += digits;
            if digits == 0 {
                return None;
            }
        }
        Some(i64::try_from(seconds).ok()? * 1_000_000 + micros)
    }

    fn token(&mut self) -> Option<Option<Span>> {
        if self.input.get(self.pos) == Some(&b'"') {
            return self.plain_text().map(Some);
        }
        self.input.get(self.pos..)?.strip_prefix(b"null")?;
        self.pos += 4;
        Some(None)
    }

    /// An integer; texts are rare enough.
    fn id(&mut self) -> Option<u64> {
        let (number, _) = self.digits()?;
        (number <= MAX_NUMBER).then_some(number)
    }

    /// An integer without zeros in front, of at most 18 digits, and how many they are.
    fn digits(&mut self) -> Option<(u64, usize)> {
        let rest = self.input.get(self.pos..)?;
        let (mut number, mut digits) = match rest.first_chunk().copied().and_then(eight_digits) {
            Some(number) => (number, 8),
            None => (0, 0),
        };
        for byte in rest.get(digits..)?.iter().take(19 - digits) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number * 10 + u64::from(digit);
            digits += 1;
        }
        self.pos += digits;
        let plain = (1..19).contains(&digits) && (digits == 1 || rest.first() != Some(&b'0'));
        plain.then_some((number, digits))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan::Scanner;

    /// What is read here is what is read in two passes.
    fn check(object: &[u8]) -> bool {
        let Some(Quick { envelope: quick, len, .. }) = read(object, None) else { return false };
        let mut scanner = Scanner::new();
        assert_eq!(scanner.scan(object).unwrap(), Some(len), "{}", object.escape_ascii());
        let slow = Envelope::from_marks(&object[..len], scanner.marks());
        assert_eq!(slow, Ok(quick), "{}", object.escape_ascii());
        true
    }

    const USUAL: [&str; 9] = [
        r#"{"action":"ADD","data":{"a":1,"b":[{},"]}"]},"packet-created":1700000000.123456,"token":null,"id":7}"#,
        r#"{"action": "ADD", "data": {"a": 1}, "packet-created": 1671900000.5, "token": "9f2f63e1-5aab"}"#,
        r#"{"re":9007199254740991,"token":"t","packet-created":0,"data":null,"action":"größe"}"#,
        r#"{"data":"\"\\","action":"A"}"#,
        r#"{"data":-1.5e3,"action":""}"#,
        r#"{"action":"A","data":[]}"#,
        r#"{"action":"A","data":nonsense}"#,
        r#"{"action":"A"}{"action":"B"}"#,
        r#"{"id":0,"action":"A"}"#,
    ];

    #[test]
    fn the_usual_objects_are_read_in_one_pass() {
        for object in USUAL {
            assert!(check(object.as_bytes()), "{object}");
        }
    }

    #[test]
    fn what_is_said_again_is_read_again() {
        let first = br#"{"action":"A","data":{"b":1},"packet-created":1700000000.5,"token":"secret","id":1}"#;
        let again = br#"{"action":"B","data":[],"packet-created":1700000000.5,"token":"secret","id":2}"#;
        let Quick { envelope, tail, .. } = read(first, None).unwrap();
        let (start, end) = tail.unwrap();
        assert_eq!(&first[start..end], br#","packet-created":1700000000.5,"token":"secret""#);
        let before = Some((&first[start..end], envelope.created.unwrap()));
        let quick = read(again, before).unwrap();
        assert!(quick.repeats);
        let alone = read(again, None).unwrap();
        assert_eq!((quick.len, quick.envelope.created), (alone.len, alone.envelope.created));
        assert_eq!((quick.envelope.action, quick.envelope.data), (alone.envelope.action, alone.envelope.data));
        assert_eq!(quick.envelope.id, alone.envelope.id);
        // Another token, another time, one of them twice, or in another order.
        for other in [
            &br#"{"action":"B","data":[],"packet-created":1700000000.5,"token":"secreT","id":2}"#[..],
            br#"{"action":"B","data":[],"packet-created":1700000000.6,"token":"secret","id":2}"#,
            br#"{"data":[],"packet-created":1700000000.5,"token":"secret2","action":"B"}"#,
            br#"{"action":"B","data":[],"token":"secret","packet-created":1700000000.5}"#,
        ] {
            assert!(!read(other, before).unwrap().repeats, "{}", other.escape_ascii());
        }
        let twice = br#"{"action":"B","data":[],"packet-created":1700000000.5,"token":"secret","token":"x"}"#;
        assert!(read(twice, before).is_none());
    }

    #[test]
    fn tails_are_known_only_where_they_follow_the_data() {
        for (object, known) in [
            (&br#"{"action":"A","data":1,"packet-created":1.5,"token":null}"#[..], true),
            (br#"{"action":"A","data":1, "packet-created": 1.5, "token": null}"#, false),
            (br#"{"action":"A","data":1,"packet-created":1.5,"id":1,"token":null}"#, false),
            (br#"{"action":"A","data":1,"token":null,"packet-created":1.5}"#, false),
            (br#"{"data":1,"action":"A","packet-created":1.5,"token":null}"#, false),
            (br#"{"action":"A","data":1,"packet-created":1.5}"#, false),
        ] {
            assert_eq!(read(object, None).unwrap().tail.is_some(), known, "{}", object.escape_ascii());
        }
    }

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

    #[test]
    fn what_is_unusual_is_left_to_the_others() {
        for object in [
            "{}",
            "{",
            r#"{"action":"A""#,
            r#"{"action":"\u0041"}"#,
            r#"{"action":"A","more":1}"#,
            r#"{"action":"A","action":"A"}"#,
            r#"{"action":"A","id":1,"re":1}"#,
            r#"{"action":"A","id":01}"#,
            r#"{"action":"A","id":9007199254740992}"#,
            r#"{"action":"A","packet-created":1.}"#,
            r#"{"action":"A","packet-created":1e3}"#,
            r#"{"action":"A","data":}"#,
            r#"{"action":"A","data":[}"#,
            r#"{"action":"A","data": 1 }"#,
            r#"{"action":"A",}"#,
            r#"{"data":1}"#,
        ] {
            assert!(read(object.as_bytes(), None).is_none(), "{object}");
        }
        let deep = format!(r#"{{"action":"A","data":{}{}}}"#, "[".repeat(65), "]".repeat(65));
        assert!(read(deep.as_bytes(), None).is_none());
        assert!(check(deep.replacen('[', "", 1).replacen(']', "", 1).as_bytes()));
    }

    /// Every byte of every usual object, replaced by every byte that means something, left out and doubled.
    #[test]
    fn both_ways_agree_on_damaged_objects() {
        let mut read = 0;
        for object in USUAL {
            for at in 0..object.len() {
                let (head, tail) = object.as_bytes().split_at(at);
                for byte in b"\"\\{}[]:,. 0919-eAn\x00\x1f\xff\xc3" {
                    read += usize::from(check(&[head, &[*byte], &tail[1..]].concat()));
                    read += usize::from(check(&[head, &[*byte], tail].concat()));
                }
                read += usize::from(check(&[head, &tail[1..]].concat()));
            }
        }
        assert!(read > 1000, "{read}");
    }
}
